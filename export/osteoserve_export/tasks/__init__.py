"""What differs between the exports of networks for segmentation and for detection."""

from __future__ import annotations

from pathlib import Path

from osteoserve_export.errors import SpecificationError
from osteoserve_export.specification import (
    DetectionSpecification,
    ExportSpecification,
    SegmentationSpecification,
)
from osteoserve_export.tasks.detection import DetectionTask
from osteoserve_export.tasks.segmentation import SegmentationTask
from osteoserve_export.tasks.task import Task

__all__ = ["Task", "task_of"]


def task_of(asked: ExportSpecification, weights: Path) -> Task:
    """Load a network for what it is to do.

    Args:
        asked: What to export.
        weights: Checkpoint.

    Raises:
        ArchitectureError: The network cannot be built, or cannot do that.
        CheckpointError: The weights cannot be read, or are another network's.
    """
    if isinstance(asked, DetectionSpecification):
        return DetectionTask(asked, weights)
    if isinstance(asked, SegmentationSpecification):
        return SegmentationTask(asked, weights)
    raise SpecificationError(f"{asked.architecture} has no task")
