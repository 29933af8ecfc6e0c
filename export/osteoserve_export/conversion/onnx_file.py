"""A serving graph as one ONNX file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import onnx
import torch
from torch import nn
from torch.export import Dim

from osteoserve_export.errors import ConversionError, in_one_line
from osteoserve_export.graphs.detection import DetectionGraph
from osteoserve_export.graphs.segmentation import SegmentationGraph
from osteoserve_export.tensor_names import INPUT, LABELS, LOGITS, PROBABILITIES
from osteoserve_preprocessing.inference import detections

OPSET: Final = 20

#: Greatest height and width of a slice that the file is stated to take, pixels.
GREATEST_SIZE: Final = 4096


@dataclass(frozen=True)
class OnnxExport:
    """Two files of one graph.

    Args:
        served: What Triton gets: ``labels``, and ``probabilities`` where they were asked for.
        proof: The same graph with the network's ``logits`` as one more output.
    """

    served: Path
    proof: Path


def export_onnx(
    graph: SegmentationGraph, served: Path, proof: Path, *, size_multiple: int, max_batch: int
) -> OnnxExport:
    """Write a graph as ONNX with dynamic batch, height and width.

    Traced once, with the logits; what is served is the same file without that output. So what the
    logits prove holds for the labels too.

    Args:
        graph: What is to be served.
        served: File for Triton; its parent exists.
        proof: File for the proof of parity; its parent exists.
        size_multiple: H and W are multiples of it.
        max_batch: Most slices in one request.

    Raises:
        ConversionError: torch cannot export the network with these dynamic axes.
    """
    outputs = [LABELS, *([PROBABILITIES] if graph.probabilities else []), LOGITS]
    # Stating a size as a multiple of a number is what lets torch prove that every skip connection
    # meets an upsampling of the same size.
    greatest = max(2, GREATEST_SIZE // size_multiple)
    height, width = (Dim(name, min=1, max=greatest) for name in ("rows", "columns"))
    # Neither batch nor sizes are alike, or 1, so that torch takes none of them for a constant.
    example = torch.zeros((2, 4 * size_multiple, 6 * size_multiple), dtype=torch.uint8)
    shapes = {
        0: Dim("batch", min=1, max=max_batch),
        1: size_multiple * height,
        2: size_multiple * width,
    }
    _trace(_WithLogits(graph), example, shapes, proof, inputs=[INPUT], outputs=outputs)
    model = onnx.load(proof)
    kept = [output for output in model.graph.output if output.name != LOGITS]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    _save(model, served)
    return OnnxExport(served, proof)


def export_detector(graph: DetectionGraph, served: Path, *, max_batch: int) -> None:
    """Write a detector's graph as ONNX with a dynamic batch.

    Args:
        graph: What is to be served; its images have one size.
        served: File for Triton; its parent exists.
        max_batch: Most images in one request, above 1.

    Raises:
        ConversionError: torch cannot export the network with a dynamic batch.
    """
    example = torch.zeros((2, *graph.size), dtype=torch.uint8)
    # Traced with two images, and a batch that is stated to be 1 at most would not fit them.
    shapes = {0: Dim("batch", min=1, max=max(2, max_batch))}
    inputs, outputs = [detections.INPUT], detections.OUTPUTS
    _trace(graph, example, shapes, served, inputs=inputs, outputs=outputs)
    _save(onnx.load(served), served)


def _trace(
    module: nn.Module,
    example: torch.Tensor,
    shapes: dict[int, Any],
    path: Path,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> None:
    with _one_error(), _quiet():
        torch.onnx.export(
            module,
            (example,),
            path,
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=(shapes,),
            verbose=False,
        )


def _save(model: onnx.ModelProto, path: Path) -> None:
    _forget_source(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _forget_source(model: onnx.ModelProto) -> None:
    """Leave out the stack traces that torch writes beside every node: paths of this machine."""
    _forget_in(model.graph)
    for function in model.functions:
        for node in function.node:
            _forget_in_node(node)


def _forget_in(graph: onnx.GraphProto) -> None:
    entries: list[Any] = [graph, *graph.value_info, *graph.initializer]
    for entry in (*entries, *graph.input, *graph.output):
        del entry.metadata_props[:]
    for node in graph.node:
        _forget_in_node(node)


def _forget_in_node(node: onnx.NodeProto) -> None:
    del node.metadata_props[:]
    for attribute in node.attribute:
        # Bodies of loops.
        if attribute.HasField("g"):
            _forget_in(attribute.g)


class _WithLogits(nn.Module):
    def __init__(self, graph: SegmentationGraph) -> None:
        super().__init__()
        # Not called graph, which is a word of torch.fx for something else.
        self.serving = graph
        self.eval()

    def forward(self, slices: torch.Tensor) -> tuple[torch.Tensor, ...]:
        logits = self.serving.logits(slices)
        return (*self.serving.answer(logits), logits)


@contextmanager
def _one_error() -> Iterator[None]:
    try:
        yield
    # torch raises errors of many kinds; the first cause says what, the rest how torch came to it.
    except Exception as error:
        first: BaseException = error
        while first.__cause__ is not None:
            first = first.__cause__
        reason = in_one_line(first)
        raise ConversionError(f"torch cannot export this network: {reason}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's notes on its own and its dependencies' deprecations from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)
