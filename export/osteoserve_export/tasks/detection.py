"""The export of a network that finds regions: Mask R-CNN."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from torchvision.models.detection import MaskRCNN

from osteoserve_export.checkpoints import load_network
from osteoserve_export.conversion.model_files import ModelFiles, write_detector_files
from osteoserve_export.errors import ArchitectureError, ParityError
from osteoserve_export.graphs.detection import DetectionGraph
from osteoserve_export.parity.detection_comparison import (
    ExpectedDetections,
    compare_detections,
    expected_detections,
)
from osteoserve_export.parity.detection_proof import DetectionProof
from osteoserve_export.parity.detection_reference import DetectionReference
from osteoserve_export.parity.everywhere import compare_detector_everywhere
from osteoserve_export.specification import DetectionSpecification
from osteoserve_export.trial_views import view_trials
from osteoserve_preprocessing.inference import DetectionContract, ModelContract


class DetectionTask:
    """See `task.Task`.

    Args:
        asked: What to export.
        weights: Checkpoint.

    Raises:
        ArchitectureError: The network cannot be built, or has another number of classes.
        CheckpointError: The weights cannot be read, or are another network's.
    """

    folded = 0
    probabilities = 0

    def __init__(self, asked: DetectionSpecification, weights: Path) -> None:
        self._asked = asked
        self.network = cast(MaskRCNN, load_network(weights, asked.architecture, asked.options))
        heads = self.network.roi_heads
        classes = heads.box_predictor.cls_score.out_features
        if classes != len(asked.labels) + 1:
            raise ArchitectureError(
                f"{weights} has {classes} classes with background; {len(asked.labels)} labels need "
                f"{len(asked.labels) + 1}"
            )
        self._detections: int = heads.detections_per_img
        size = asked.image_size
        self._graph = DetectionGraph(self.network, detections=self._detections, size=size)
        self._expected: tuple[ExpectedDetections, ...] = ()

    def ask(self, studies: Sequence[Path]) -> None:
        """See `Task.ask`."""
        trials = view_trials(studies, self._asked)
        reference = DetectionReference(self.network)
        self._expected = expected_detections(reference, trials, self._asked)

    def write(self, folder: Path, scratch: Path) -> ModelFiles:
        """See `Task.write`."""
        return write_detector_files(self._graph, self._asked, folder, scratch)

    def contract(self, digest: str) -> DetectionContract:
        """See `Task.contract`."""
        asked = self._asked
        return DetectionContract(
            name=asked.name,
            version=str(asked.version),
            modality="NM",
            labels=asked.labels,
            digest=digest,
            precision="fp32",
            file_precision=asked.precision,
            max_batch=asked.max_batch,
            image_size=asked.image_size,
            detections=self._detections,
            mask_cells=self._graph.mask_cells,
        )

    def compare(self, files: ModelFiles, repository: Path) -> DetectionProof:
        """See `Task.compare`."""
        return compare_detector_everywhere(files, repository, self._expected, self._asked)

    def compare_in_bf16(self, repository: Path) -> None:
        """See `Task.compare_in_bf16`: never, for boxes need more digits than bf16 has."""
        del repository

    def rounding(self) -> str:
        """See `Task.rounding`.

        Of boxes that overlap, the one with the higher score stays, and of all the best hundred:
        where scores hardly differ, as without training, the last digit decides what is found.
        """
        reference = DetectionReference(copy.deepcopy(self.network).double())
        rows = compare_detections(
            "PyTorch in float64", reference.find_all, self._expected, self._asked, batches=(1,)
        )
        try:
            DetectionProof(self._asked, rows).check()
        except ParityError as error:
            return f"; no runtime can do better, for the answers hang on rounding: {error}"
        return ""

    def check_contract(self, contract: ModelContract) -> None:
        """See `Task.check_contract`: a detector's images have one size and are shown whole."""

    def notes(self) -> list[str]:
        """See `Task.notes`."""
        size, seen = self._graph.size, self._graph.pyramid.image
        transform = self.network.transform
        least = ",".join(map(str, transform.min_size))
        rule = (
            f"fixed_size={','.join(map(str, transform.fixed_size))}"
            if transform.fixed_size
            else f"min_size={least} and max_size={transform.max_size}"
        )
        return [
            f"Images of {size[0]}x{size[1]} pixels are seen at {seen[0]}x{seen[1]}, by the options "
            f"{rule}: they must be those of the training, which the weights do not tell.",
            f"At most {self._detections} detections in an image, each with a mask of "
            f"{self._graph.mask_cells}x{self._graph.mask_cells} cells, scores above "
            f"{self.network.roi_heads.score_thresh:g}.",
        ]
