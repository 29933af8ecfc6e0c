"""One export in every runtime that will serve it, the embedded Triton last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from osteoserve_export.conversion.model_files import ModelFiles
from osteoserve_export.errors import UnavailableError
from osteoserve_export.parity.detection_comparison import (
    ExpectedDetections,
    compare_detections,
    finding_in,
)
from osteoserve_export.parity.detection_proof import DetectionProof, DetectionRow
from osteoserve_export.parity.proof import BATCHES, Expected, SegmentationProof, compare_runtime
from osteoserve_export.parity.rows import Row
from osteoserve_export.parity.runtimes import OnnxRuntime, OpenVino, runtimes_of
from osteoserve_export.parity.served import compare_served, finding_through, serving
from osteoserve_export.specification import DetectionSpecification, SegmentationSpecification
from osteoserve_preprocessing.profiles import BF16, computes_bf16


def compare_everywhere(
    files: ModelFiles,
    repository: Path,
    expected: Sequence[Expected],
    asked: SegmentationSpecification,
) -> SegmentationProof:
    """Load every file of a network for segmentation again, ask every runtime, and at last Triton.

    Args:
        files: What was written.
        repository: Holds the model's folder and nothing else.
        expected: The network's own answers.
        asked: Name and labels.

    Raises:
        ParityError: An answer has another type or shape, holds what is no label, or Triton does not
            serve the folder.
    """
    rows: list[Row] = []
    if files.proof:
        for runtime in (OnnxRuntime(files.proof), OpenVino(files.proof)):
            name = f"{runtime.name}, with logits"
            rows += compare_runtime(name, runtime, expected, asked, batches=BATCHES[-1:])
    for name, loaded in runtimes_of(files):
        rows += compare_runtime(name, loaded, expected, asked)
    with serving(repository) as triton:
        rows += compare_served(triton, expected, asked)
    return SegmentationProof(asked, tuple(rows))


def compare_in_bf16(
    repository: Path, expected: Sequence[Expected], asked: SegmentationSpecification
) -> SegmentationProof:
    """Ask Triton for the same by the profile "bf16", on a CPU that computes in it.

    Args:
        repository: Holds the model's folder and nothing else.
        expected: The network's own answers.
        asked: Name and labels; as much is required of bf16 as of fp32, for a service takes it
            without being told to.

    Raises:
        UnavailableError: This CPU does not compute in bf16.
        ParityError: An answer is none, or Triton does not serve the folder.
    """
    if not computes_bf16():
        raise UnavailableError("this CPU does not compute in bf16")
    # Other sizes than a study's were proved in fp32, by the same file. What shows no anatomy is
    # labelled by chance, close to the threshold, and so in bf16 now and then otherwise.
    anatomical = [item for item in expected if item.trial.anatomical]
    with serving(repository, BF16) as triton:
        return SegmentationProof(asked, compare_served(triton, anatomical, asked))


def compare_detector_everywhere(
    files: ModelFiles,
    repository: Path,
    expected: Sequence[ExpectedDetections],
    asked: DetectionSpecification,
) -> DetectionProof:
    """The same for a detector.

    Args:
        files: What was written.
        repository: Holds the model's folder and nothing else.
        expected: The network's own answers.
        asked: Name and labels.

    Raises:
        ParityError: An answer has another type or shape, holds what is no detection, or Triton does
            not serve the folder.
    """
    rows: list[DetectionRow] = []
    for name, loaded in runtimes_of(files):
        rows += compare_detections(name, finding_in(loaded), expected, asked)
    with serving(repository) as triton:
        find = finding_through(triton, asked.name)
        rows += compare_detections(triton.name, find, expected, asked)
    return DetectionProof(asked, tuple(rows))
