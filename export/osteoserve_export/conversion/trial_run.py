"""One run of a converted file beside the file that it was made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from osteoserve_export.errors import ConversionError, ExportError

#: Trial size of an axis that the file leaves open: the batch, and height and width in pixels
#: (a multiple of what common encoders need).
TRIAL_BATCH, TRIAL_SIZE = 2, 64

#: Greatest number in half precision.
GREATEST_HALF: Final = float(np.finfo(np.float16).max)


def try_converted(source: Path, converted: Path) -> None:
    """Check a converted file against the format, and run it beside its source once.

    Raises:
        ConversionError: It is no valid ONNX, does not run, or answers in another type or shape, or
            with numbers that are not finite.
    """
    onnx.checker.check_model(converted, full_check=True)
    expected, answers = run_once(source), run_once(converted)
    for name, expectation in expected.items():
        answer = answers[name]
        if (answer.dtype, answer.shape) != (expectation.dtype, expectation.shape):
            raise ConversionError(
                f"{name} would be {answer.dtype} {answer.shape}, "
                f"not {expectation.dtype} {expectation.shape}"
            )
        if not np.isfinite(answer).all():
            raise ConversionError(f"{name} would hold numbers that are not finite")


def check_half_weights(weights: Iterable[onnx.TensorProto]) -> None:
    """Look for weights that half precision cannot hold.

    Raises:
        ConversionError: There is one.
    """
    for tensor in weights:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            peak = float(np.abs(onnx.numpy_helper.to_array(tensor)).max(initial=0.0))
            if not peak <= GREATEST_HALF:
                raise ConversionError(f"weight {tensor.name} reaches {peak:.3g}, beyond fp16")


def check_half_values(model: onnx.ModelProto, names: Iterable[str]) -> None:
    """Look for numbers on the way that half precision cannot hold.

    ONNX Runtime computes fp16 graphs in fp32 on a CPU, and the converter cuts weights off: neither
    would tell.

    Args:
        model: In fp32; it is changed.
        names: Tensors of its graph that would be fp16.

    Raises:
        ConversionError: There is one.
    """
    answered = {tensor.name for tensor in model.graph.output}
    wanted = list(dict.fromkeys(names))
    added = (onnx.ValueInfoProto(name=name) for name in wanted if name not in answered)
    model.graph.output.extend(added)
    found = run_once(model.SerializeToString())
    for name in wanted:
        peak = float(np.abs(found[name]).max(initial=0.0))
        if not peak <= GREATEST_HALF:
            raise ConversionError(f"{name} reaches {peak:.3g}, beyond fp16")


def run_once(model: Path | bytes) -> dict[str, npt.NDArray[Any]]:
    """Run a file in ONNX Runtime on a gradient over all pixels.

    Args:
        model: File, or its content, with uint8 inputs.

    Returns:
        The outputs by name.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors come as exceptions; warnings are not for the user
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = {tensor.name: _trial(tensor) for tensor in session.get_inputs()}
    names = [tensor.name for tensor in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def _trial(tensor: Any) -> npt.NDArray[np.uint8]:
    """A gradient over the trial's pixels: every grey value, and no luck of a random draw."""
    if tensor.type != "tensor(uint8)":
        raise ConversionError(f"input {tensor.name} must be uint8, not {tensor.type}")
    shape = [
        size if isinstance(size, int) else TRIAL_BATCH if axis == 0 else TRIAL_SIZE
        for axis, size in enumerate(tensor.shape)
    ]
    return (np.arange(math.prod(shape)) % 256).astype(np.uint8).reshape(shape)


@contextmanager
def one_error(source: Path, precision: str) -> Iterator[None]:
    """Turn whatever goes wrong in a conversion into one `ConversionError` of one line.

    Args:
        source: What is converted.
        precision: What it should become.
    """
    try:
        yield
    except ExportError as error:
        raise ConversionError(f"{source} cannot become {precision}: {error}") from error
    # The converters, the checker and the runtime raise errors of many kinds; the first line says
    # what, and the whole goes on as the cause.
    except Exception as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), repr(error))
        raise ConversionError(f"{source} cannot become {precision}: {reason.strip()}") from error
