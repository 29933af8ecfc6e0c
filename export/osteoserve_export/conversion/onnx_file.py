"""From a trained network to an ONNX file, and the proof that it answers the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import openvino
import torch
from torch.export import Dim

from osteoserve_export.errors import ParityError
from osteoserve_export.graphs.segmentation import ServingGraph

OPSET = 20
INPUT_NAME, OUTPUT_NAME = "slices", "labels"
MAX_BATCH = 32

#: Smallest Dice between the labels of the exported file and of the network.
LEAST_PARITY = 0.999

#: Share of the trial images' pixels that must be skeleton, and that must be none.
LEAST_SHARE = 0.001

#: (N, H, W) that parity is tried at; none is what the graph was traced with.
PARITY_SHAPES = ((1, 512, 512), (3, 208, 336), (8, 64, 96))


@dataclass(frozen=True)
class Parity:
    """Agreement of one runtime with PyTorch.

    Args:
        runtime: "onnxruntime" or "openvino".
        shape: (N, H, W) that was tried.
        dice: Dice of the two skeleton masks.
        disagreement: Share of the pixels whose labels differ.
    """

    runtime: str
    shape: tuple[int, int, int]
    dice: float
    disagreement: float


def export_onnx(graph: ServingGraph, path: Path) -> None:
    """Write a graph as one ONNX file with dynamic batch, height and width.

    Args:
        graph: What is to be served.
        path: File to write; its parent exists.
    """
    # Height and width are multiples of 16: stating it as 16 times a number is what lets torch
    # prove that every skip connection meets an upsampling of the same size.
    height, width = Dim("height16", min=2, max=128), Dim("width16", min=2, max=128)
    example = torch.zeros((2, 64, 96), dtype=torch.uint8)
    torch.onnx.export(
        graph,
        (example,),
        path,
        dynamo=True,
        opset_version=OPSET,
        external_data=False,
        input_names=[INPUT_NAME],
        output_names=[OUTPUT_NAME],
        dynamic_shapes=({0: Dim("batch", min=1, max=MAX_BATCH), 1: 16 * height, 2: 16 * width},),
        verbose=False,
    )
    onnx.checker.check_model(onnx.load(path), full_check=True)


def prove_parity(
    graph: ServingGraph, path: Path, slices: npt.NDArray[np.uint8] | None = None
) -> tuple[Parity, ...]:
    """Run an exported file against the network that it was made of.

    Args:
        graph: The original.
        path: The ONNX file.
        slices: (N, H, W) uint8 grey values to try besides the random ones; H and W multiples
            of 16.

    Returns:
        The agreement of each runtime at each shape.

    Raises:
        ParityError: A runtime's labels differ by more than the parity allows, or the network
            finds nothing, or everything, in the trial images, which would prove nothing.
    """
    random = np.random.default_rng(0)
    inputs = [_blobs(shape, random) for shape in PARITY_SHAPES]
    if slices is not None:
        inputs.append(slices)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    compiled = openvino.Core().compile_model(
        path, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}
    )
    expectations = [graph.segment(grey) for grey in inputs]
    _check_expressive(expectations)
    found = []
    for grey, expected in zip(inputs, expectations, strict=True):
        answers = {
            "onnxruntime": session.run([OUTPUT_NAME], {INPUT_NAME: grey})[0],
            "openvino": compiled([grey])[0],
        }
        found += [_parity(name, answer, expected) for name, answer in answers.items()]
    return tuple(found)


def _check_expressive(expectations: Sequence[npt.NDArray[np.uint8]]) -> None:
    skeleton = sum(int(labels.sum(dtype=np.int64)) for labels in expectations)
    share = skeleton / sum(labels.size for labels in expectations)
    if not LEAST_SHARE < share < 1.0 - LEAST_SHARE:
        raise ParityError(f"the network labels {share:.2%} of the trial images: no proof")


def _parity(runtime: str, answer: npt.NDArray[np.uint8], expected: npt.NDArray[np.uint8]) -> Parity:
    if answer.shape != expected.shape or answer.dtype != np.uint8:
        raise ParityError(f"{runtime} answers {answer.dtype} {answer.shape}")
    both, either = np.count_nonzero(answer & expected), answer.sum() + expected.sum(dtype=np.int64)
    dice = 2.0 * both / float(either) if either else 1.0
    shape = (answer.shape[0], answer.shape[1], answer.shape[2])
    parity = Parity(runtime, shape, dice, float(np.mean(answer != expected)))
    if dice < LEAST_PARITY:
        raise ParityError(f"{runtime} agrees with torch only to a Dice of {dice:.4f} at {shape}")
    return parity


def _blobs(shape: tuple[int, int, int], random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """(N, H, W) uint8 with bright ellipses: noise alone leaves the network nothing to find."""
    count, height, width = shape
    y, x = np.mgrid[:height, :width]
    grey = random.normal(40.0, 12.0, shape)
    for n in range(count):
        for _ in range(12):
            row, column = random.uniform(0, height), random.uniform(0, width)
            radius, longer = random.uniform(4, 16), random.uniform(1, 3)
            inside = ((y - row) / radius) ** 2 + ((x - column) / radius / longer) ** 2 < 1
            grey[n][inside] = random.uniform(120, 255)
    return np.clip(grey, 0, 255).astype(np.uint8)
