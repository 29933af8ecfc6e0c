"""Half precision and eight-bit integers: an fp32 ONNX file with cheaper arithmetic.

What goes in and comes out of the graph keeps its type: uint8 slices, uint8 labels. The result is
an ordinary ONNX file whose arithmetic every runtime reads from the graph itself, TensorRT included:
its networks are strongly typed, so neither precision can be asked for when a plan is built.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from osteoserve_export.conversion.quantisation import Quantisation, Quantiser, quantise
from osteoserve_export.conversion.trial_run import (
    check_half_values,
    check_half_weights,
    one_error,
    try_converted,
)
from osteoserve_export.conversion.whole_file import whole_file
from osteoserve_export.errors import ConversionError


def to_fp16(source: Path, target: Path) -> None:
    """Convert the weights and the arithmetic of an ONNX file to half precision.

    Args:
        source: ONNX file in fp32 with uint8 inputs.
        target: File to write; its parent exists.

    Raises:
        ConversionError: The file cannot be read, holds or computes numbers beyond 65504, or has no
            valid form in half precision; nothing was written.
    """
    with one_error(source, "fp16"):
        model = onnx.load(source)
        _check_range(model)
        # Float outputs (probabilities) stay fp32 for the client's sake.
        halved = OnnxModel(convert_float_to_float16(model, keep_io_types=True))
        # The converter appends its casts at the end, where ONNX does not allow them.
        halved.topological_sort()
        with whole_file(target) as partial:
            onnx.save(halved.model, partial)
            try_converted(source, partial)


def to_int8(
    source: Path,
    target: Path,
    calibration: Iterable[npt.NDArray[np.uint8]],
    *,
    least_agreement: float = 0.999,
    after_concatenation: bool = False,
) -> Quantisation:
    """Quantise the convolutions of an ONNX file to int8, with the scales in the graph (QDQ).

    Symmetric, one scale for each output channel of a weight and one for each activation, at the
    greatest magnitude seen in calibration; biases stay fp32. This is the form that TensorRT reads
    ("explicit quantization"), and the same calibration gives the same file. Convolutions that harm
    the masks stay fp32 (see ``quantisation``).

    Args:
        source: ONNX file in fp32: one uint8 input, and uint8 labels as the first output.
        target: File to write; its parent exists.
        calibration: (N, H, W) uint8 each: slices like those that will be served, of a size that
            the graph takes.
        least_agreement: Dice with the fp32 masks on the calibration slices that has to be reached;
            more than parity asks for, since parity is proved on others.
        after_concatenation: Whether convolutions that read a concatenation (in a U-Net, those
            behind each skip connection) may be quantised too. Good for TensorRT; OpenVINO 2026.4
            answers wrongly there on CPUs without VNNI (one concatenation and one convolution with
            random weights: a correlation of 0.97 with ONNX Runtime's answer, 1.00 without the
            concatenation), so they stay fp32 by default.

    Returns:
        What was quantised.

    Raises:
        ConversionError: The file cannot be read or quantised, the calibration is empty or does not
            fit the input, or the masks would change more than allowed; nothing was written.
    """
    with one_error(source, "int8"):
        slices = [_slices(array) for array in calibration]
        if not slices:
            raise ConversionError("int8 needs calibration slices, and none were given")
        onnx.checker.check_model(source)
        with whole_file(target) as partial:
            quantiser = Quantiser(source, partial.parent, slices)
            kept = () if after_concatenation else quantiser.behind_concatenation
            candidates = [node for node in quantiser.nodes if node not in kept]
            quantisation = quantise(
                quantiser, partial, candidates=candidates, least_agreement=least_agreement
            )
            try_converted(source, partial)
    return quantisation


def _slices(array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if array.dtype != np.uint8 or array.ndim != 3:
        raise ConversionError(
            f"calibration slices must be (N, H, W) uint8, not {array.dtype} {array.shape}"
        )
    return array


def _check_range(model: onnx.ModelProto) -> None:
    """Look for numbers that half precision cannot hold, in the weights and on the way."""
    check_half_weights(model.graph.initializer)
    probe = onnx.shape_inference.infer_shapes(model)
    check_half_values(
        probe,
        [
            tensor.name
            for tensor in (*probe.graph.output, *probe.graph.value_info)
            if tensor.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        ],
    )
