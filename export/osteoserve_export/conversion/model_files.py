"""The files of one version directory: ONNX in the precision that was asked for, and a plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from osteoserve_export.conversion.mixed_precision import to_mixed
from osteoserve_export.conversion.onnx_file import export_detector, export_onnx
from osteoserve_export.conversion.precision import to_fp16, to_int8
from osteoserve_export.conversion.quantisation import Quantisation
from osteoserve_export.conversion.tensorrt_build import PlanOptions, ShapeProfile
from osteoserve_export.conversion.tensorrt_plan import PlanReport, build_plan
from osteoserve_export.graphs.detection import DetectionGraph
from osteoserve_export.graphs.segmentation import SegmentationGraph
from osteoserve_export.specification import DetectionSpecification, SegmentationSpecification
from osteoserve_preprocessing.inference.configuration import ONNX_FILE, PLAN_FILE

#: Height and width that a plan takes, pixels: what it is fastest at, and at most. The least is
#: twice the network's size multiple.
USUAL_SIDE: Final = 512
LARGEST_SIDE: Final = 1024


@dataclass(frozen=True)
class ModelFiles:
    """What was written.

    Args:
        onnx: The file for Triton.
        proof: The same graph with logits, for the proof; None in reduced precision, whose logits
            are meant to differ, and for a detector, which has none.
        plan: The TensorRT plan beside the ONNX file; None where none was asked for.
        quantisation: Which convolutions are int8; None in another precision.
    """

    onnx: Path
    proof: Path | None
    plan: PlanReport | None
    quantisation: Quantisation | None = None


def write_model_files(
    graph: SegmentationGraph,
    asked: SegmentationSpecification,
    folder: Path,
    scratch: Path,
    *,
    size_multiple: int,
    calibration: Iterable[npt.NDArray[np.uint8]],
) -> ModelFiles:
    """Convert a graph to the formats and the precision that were asked for.

    Args:
        graph: What is to be served.
        asked: Formats, precision, most slices in a request.
        folder: The version directory.
        scratch: Folder for files that are not served.
        size_multiple: H and W are multiples of it.
        calibration: (N, H, W) uint8 slices that int8 finds its ranges on.

    Raises:
        ConversionError: It cannot be brought into that form.
        UnavailableError: A plan was asked for, and this machine has no GPU or no TensorRT.
    """
    served, proof = folder / ONNX_FILE, scratch / "proof.onnx"
    reduced = asked.precision != "fp32"
    whole = scratch / "fp32.onnx" if reduced else served
    export_onnx(graph, whole, proof, size_multiple=size_multiple, max_batch=asked.max_batch)
    if asked.precision == "fp16":
        to_fp16(whole, served)
    quantised = None
    if asked.precision == "int8":
        quantised = to_int8(whole, served, calibration)
    plan = None
    if "tensorrt" in asked.formats:
        plan = _write_plan(served, _profile(asked, size_multiple))
    return ModelFiles(served, None if reduced else proof, plan, quantised)


def write_detector_files(
    graph: DetectionGraph, asked: DetectionSpecification, folder: Path, scratch: Path
) -> ModelFiles:
    """The same for a detector, whose images have one size.

    Args:
        graph: What is to be served.
        asked: Formats, precision, most images in a request.
        folder: The version directory.
        scratch: Folder for files that are not served.

    Raises:
        ConversionError: It cannot be brought into that form.
        UnavailableError: A plan was asked for, and this machine has no GPU or no TensorRT.
    """
    served = folder / ONNX_FILE
    whole = scratch / "fp32.onnx" if asked.precision == "fp16" else served
    export_detector(graph, whole, max_batch=asked.max_batch)
    if asked.precision == "fp16":
        to_mixed(whole, served)
    plan = None
    if "tensorrt" in asked.formats:
        batches = (1, min(4, asked.max_batch), asked.max_batch)
        plan = _write_plan(served, ShapeProfile.of_size(*graph.size, batches=batches))
    return ModelFiles(served, None, plan)


def _profile(asked: SegmentationSpecification, size_multiple: int) -> ShapeProfile:
    side = 2 * size_multiple
    return ShapeProfile(
        (1, side, side),
        (min(8, asked.max_batch), USUAL_SIDE, USUAL_SIDE),
        (asked.max_batch, LARGEST_SIDE, LARGEST_SIDE),
    )


def _write_plan(onnx: Path, profile: ShapeProfile) -> PlanReport:
    return build_plan(onnx, onnx.with_name(PLAN_FILE), PlanOptions(profile=profile))
