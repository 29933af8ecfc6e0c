"""Which convolutions become int8: all that can without changing the masks.

Post-training quantisation costs a network little in most of its convolutions and much in a few (in
the shipped U-Net, those of the first levels). Which ones cannot be told from the graph, so it is
measured: each convolution is quantised alone, and the ones that harm the masks most stay fp32, as
many as it takes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quant_pre_process,
    quantize_static,
)

from osteoserve_export.errors import ConversionError

Slices = npt.NDArray[np.uint8]

#: Operators whose inputs and weights become int8: where the time of a segmentation network goes.
QUANTISED: Final = ("Conv", "ConvTranspose", "Gemm", "MatMul")

#: Most calibration arrays that masks are compared on.
COMPARED: Final = 8


@dataclass(frozen=True)
class Quantisation:
    """What was quantised.

    Args:
        int8: Names of the nodes that compute in int8.
        fp32: Names of those that could, and do not, for the sake of the masks.
        agreement: Dice of the masks with those of the fp32 file, over all labels, on (some of) the
            calibration slices in ONNX Runtime.
    """

    int8: tuple[str, ...]
    fp32: tuple[str, ...]
    agreement: float


class Quantiser:
    """One calibrated network, to be quantised with one choice of nodes or another.

    Args:
        source: ONNX file in fp32: one uint8 input, and uint8 labels as the first output.
        folder: For intermediate files; it outlives this.
        slices: (N, H, W) uint8 each, for the ranges of the activations and to compare masks on.

    Raises:
        ConversionError: The graph has other inputs or outputs, or no mask on any of the slices.
    """

    def __init__(self, source: Path, folder: Path, slices: Sequence[Slices]) -> None:
        self._prepared, self._ranges = folder / "prepared.onnx", folder / "ranges.json"
        self._slices = slices
        graph = onnx.load(source, load_external_data=False).graph
        if len(graph.input) != 1:
            raise ConversionError(f"the graph must have one input, not {len(graph.input)}")
        self._input = str(graph.input[0].name)
        if graph.output[0].type.tensor_type.elem_type != onnx.TensorProto.UINT8:
            raise ConversionError(f"{graph.output[0].name} must be uint8 labels to compare")
        self.nodes = [node.name for node in graph.node if node.op_type in QUANTISED]
        joined = {node.output[0] for node in graph.node if node.op_type == "Concat"}
        self.behind_concatenation = [
            node.name
            for node in graph.node
            if node.name in self.nodes and joined.intersection(node.input)
        ]
        with _quiet():
            quant_pre_process(
                source, self._prepared, skip_optimization=True, skip_symbolic_shape=True
            )
        self._compared = slices[:: -(-len(slices) // COMPARED)]
        self._expected = self._labels(self._prepared)
        if not any(labels.any() for labels in self._expected):
            raise ConversionError("the network finds nothing in the calibration slices")

    def write(self, nodes: Sequence[str], target: Path) -> float:
        """Quantise some nodes.

        Args:
            nodes: Of `nodes`, those that become int8.
            target: File to write.

        Returns:
            Dice of its masks with the fp32 file's, over all labels.
        """
        chosen = set(nodes)
        # Calibrated at the first call; the ranges serve all later ones.
        reader = None if self._ranges.exists() else _Reader(self._input, self._slices)
        with _quiet():
            quantize_static(
                self._prepared,
                target,
                reader,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(QUANTISED),
                nodes_to_exclude=[node for node in self.nodes if node not in chosen],
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                calibration_cache_path=self._ranges,
                extra_options={
                    # What TensorRT reads: zero points of 0, and the bias in floating point.
                    "ActivationSymmetric": True,
                    "WeightSymmetric": True,
                    "QuantizeBias": False,
                    # An output is quantised where it is next read, after the activation.
                    "OpTypesToExcludeOutputQuantization": list(QUANTISED),
                },
            )
        return _agreement(self._expected, self._labels(target))

    def _labels(self, path: Path) -> list[Slices]:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        first = session.get_outputs()[0].name
        return [session.run([first], {self._input: array})[0] for array in self._compared]


def quantise(
    quantiser: Quantiser, target: Path, *, candidates: Sequence[str], least_agreement: float
) -> Quantisation:
    """Quantise as many of some nodes as the masks allow.

    Args:
        quantiser: Of the network.
        target: File to write.
        candidates: Nodes that may become int8.
        least_agreement: Dice with the fp32 file's masks that has to be reached.

    Raises:
        ConversionError: No choice reaches it.
    """
    agreement = quantiser.write(candidates, target)
    chosen = list(candidates)
    if agreement < least_agreement:
        alone = {node: quantiser.write([node], target) for node in candidates}
        for worst in sorted(candidates, key=alone.__getitem__):
            chosen.remove(worst)
            agreement = quantiser.write(chosen, target)
            if agreement >= least_agreement:
                break
    if not chosen:
        raise ConversionError(
            f"no convolution can be quantised without its masks falling below a Dice of "
            f"{least_agreement}"
        )
    kept = tuple(node for node in quantiser.nodes if node not in chosen)
    return Quantisation(tuple(chosen), kept, agreement)


class _Reader(CalibrationDataReader):  # type: ignore[misc] # the base is not annotated
    def __init__(self, name: str, slices: Sequence[Slices]) -> None:
        self._feeds: Iterator[dict[str, Slices]] = ({name: array} for array in slices)

    def get_next(self) -> dict[str, Slices] | None:
        return next(self._feeds, None)


def _agreement(expected: Sequence[Slices], found: Sequence[Slices]) -> float:
    pairs = list(zip(expected, found, strict=True))
    both = sum(np.count_nonzero((one == other) & (one > 0)) for one, other in pairs)
    either = sum(np.count_nonzero(one) + np.count_nonzero(other) for one, other in pairs)
    return 2.0 * both / either


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantiser's advice, which goes to the root logger, from the user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
