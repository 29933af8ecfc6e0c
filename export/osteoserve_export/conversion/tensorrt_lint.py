"""What can be proved about TensorRT without a GPU: TensorRT-RTX parses and builds the graph.

TensorRT-RTX is NVIDIA's TensorRT for workstations; it needs a GPU only to run a plan. Its set of
operators is nearly TensorRT's (NonZero and RoiAlign, which there are plugins, are missing), so a
graph that passes here may be expected to build with TensorRT, and an error here is found before
anyone stands at a GPU. Its plans are not for Triton, and are thrown away.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from osteoserve_export.conversion.tensorrt_build import PlanOptions, ShapeProfile, build
from osteoserve_export.errors import UnavailableError


@dataclass(frozen=True)
class RtxReport:
    """A graph that TensorRT-RTX has built.

    Args:
        version: Of TensorRT-RTX.
        profile: Shapes that it was built for.
        layers: Of the network that it made of the graph.
        plan_bytes: Size of its plan.
        seconds: That parsing and building took.
    """

    version: str
    profile: ShapeProfile
    layers: int
    plan_bytes: int
    seconds: float


def lint_with_rtx(onnx: Path, profile: ShapeProfile) -> RtxReport:
    """Parse and build a graph as for a plan, without a GPU.

    Args:
        onnx: File with one (N, H, W) input.
        profile: Shapes that it is to take.

    Raises:
        ConversionError: TensorRT-RTX cannot parse or build it; one line for each error.
        UnavailableError: TensorRT-RTX is not installed.
    """
    try:
        rtx = importlib.import_module("tensorrt_rtx")
    except ImportError as error:
        raise UnavailableError(
            "the package tensorrt-rtx is not installed: `pip install tensorrt-rtx` (no GPU needed)"
        ) from error
    # It times nothing while building, so a timing cache would stay empty.
    built = build(rtx, onnx, PlanOptions(profile=profile))
    return RtxReport(rtx.__version__, profile, built.layers, len(built.content), built.seconds)
