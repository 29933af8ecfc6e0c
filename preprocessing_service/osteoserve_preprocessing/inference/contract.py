"""What the service must know about a model, as its Triton configuration states it.

The contract stands under ``parameters`` of the model's config.pbtxt, with keys that begin with
``osteoserve.``; `contract_from_config` reads it, `contract_parameters` writes it, and reading what
was written gives the same contract.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final, Literal, cast

from tritonclient.grpc import model_config_pb2

from osteoserve_preprocessing.core.options import Normalisation, Window
from osteoserve_preprocessing.errors import ContractError, OptionError
from osteoserve_preprocessing.inference.labels import Label, labels_from_json, labels_to_json

Modality = Literal["CT", "NM"]

CONTRACT_VERSION: Final = "1"

#: How the slices that a model of each modality sees lie in the patient.
ORIENTATIONS: Final[dict[str, str]] = {"CT": "LPS axial", "NM": "planar view"}

#: What the weights of a model file may be.
FILE_PRECISIONS: Final = ("fp32", "fp16", "int8")

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class ModelContract:
    """A model's contract.

    Input is (N, H, W) uint8, 0..255 over the window; output is (N, H, W) uint8, label values.

    Args:
        name: Name in the model repository.
        version: Version that Triton serves, such as "1".
        modality: Which images it was trained on.
        labels: What its output values mean; background, 0, is not listed.
        window: HU range that 0..255 stands for.
        normalisation: How 0..255 was reached in training.
        pixel_spacing_mm: Pixel spacing that it was trained on, mm.
        pixel_spacing_range_mm: Least and largest spacing that it takes without resampling, mm.
        size_multiple: H and W must be multiples of it.
        digest: SHA-256 of the model file, 64 lower-case hexadecimal digits.
        precision: Arithmetic of the engine that runs the file, such as "fp32".
        file_precision: Weights of the file: "fp32", "fp16", or "int8", whose quantised
            convolutions every engine computes as such.
        max_batch: Most slices in one request.
        input_name: Name of the input tensor.
        output_name: Name of the output tensor.

    Raises:
        ContractError: A value is impossible; the message names the parameter.
    """

    name: str
    version: str
    modality: Modality
    labels: tuple[Label, ...]
    window: Window
    normalisation: Normalisation
    pixel_spacing_mm: float
    pixel_spacing_range_mm: tuple[float, float]
    size_multiple: int
    digest: str
    precision: str
    max_batch: int
    file_precision: str = "fp32"
    input_name: str = "slices"
    output_name: str = "labels"

    def __post_init__(self) -> None:
        if self.modality not in ORIENTATIONS:
            raise _wrong("modality", f"must be one of {', '.join(ORIENTATIONS)}", self.modality)
        values = [label.value for label in self.labels]
        if not values or len(set(values)) < len(values):
            raise _wrong("labels", "must be one or more, each with its own value", values)
        low, high = self.pixel_spacing_range_mm
        if not 0 < low <= self.pixel_spacing_mm <= high < math.inf:
            raise _wrong("pixel_spacing_range_mm", "must hold pixel_spacing_mm", (low, high))
        if self.size_multiple < 1:
            raise _wrong("size_multiple", "must be 1 or more", self.size_multiple)
        if not _SHA256.fullmatch(self.digest):
            raise _wrong("model_sha256", "must be 64 lower-case hexadecimal digits", self.digest)
        if not self.precision:
            raise _wrong("precision", "must be named", self.precision)
        if self.file_precision not in FILE_PRECISIONS:
            allowed = ", ".join(FILE_PRECISIONS)
            raise _wrong("file_precision", f"must be one of {allowed}", self.file_precision)
        if self.max_batch < 1:
            raise ContractError(f"max_batch_size must be 1 or more, not {self.max_batch}")

    @property
    def answered_in(self) -> str:
        """Precision for a reader: of the arithmetic, and of the file where that is another."""
        if self.file_precision == "fp32":
            return self.precision
        return f"{self.precision}, {self.file_precision} weights"

    @property
    def label_values(self) -> tuple[int, ...]:
        """Every value that an output voxel may have, background first."""
        return (0, *sorted(label.value for label in self.labels))


def contract_parameters(contract: ModelContract) -> dict[str, str]:
    """The parameters of config.pbtxt that state this contract."""
    return {
        "osteoserve.contract": CONTRACT_VERSION,
        "osteoserve.modality": contract.modality,
        "osteoserve.labels": labels_to_json(contract.labels),
        "osteoserve.window_hu": f"{contract.window.lower},{contract.window.upper}",
        "osteoserve.normalisation": contract.normalisation.value,
        "osteoserve.pixel_spacing_mm": repr(contract.pixel_spacing_mm),
        "osteoserve.pixel_spacing_range_mm": ",".join(map(repr, contract.pixel_spacing_range_mm)),
        "osteoserve.size_multiple": str(contract.size_multiple),
        "osteoserve.orientation": ORIENTATIONS[contract.modality],
        "osteoserve.model_sha256": contract.digest,
        "osteoserve.precision": contract.precision,
        "osteoserve.file_precision": contract.file_precision,
    }


def contract_from_config(config: model_config_pb2.ModelConfig, version: str) -> ModelContract:
    """Read a contract from a model's configuration.

    Args:
        config: As Triton's ModelConfig call answers it, or as parsed from config.pbtxt.
        version: The version that is served.

    Raises:
        ContractError: A parameter is missing or impossible; the message names model and parameter.
    """
    try:
        return _read(config, version)
    except (ContractError, OptionError) as error:
        raise ContractError(f"model {config.name}: {error}") from error


def _read(config: model_config_pb2.ModelConfig, version: str) -> ModelContract:
    if _text(config, "contract") != CONTRACT_VERSION:
        raise _wrong("contract", f"must be {CONTRACT_VERSION}", _text(config, "contract"))
    modality = _text(config, "modality")
    if modality not in ORIENTATIONS:
        raise _wrong("modality", f"must be one of {', '.join(ORIENTATIONS)}", modality)
    if _text(config, "orientation") != ORIENTATIONS[modality]:
        raise _wrong(
            "orientation", f"must be that of {modality} images", _text(config, "orientation")
        )
    lower, upper = _numbers(config, "window_hu", count=2)
    low, high = _numbers(config, "pixel_spacing_range_mm", count=2)
    return ModelContract(
        name=config.name,
        version=version,
        modality=cast(Modality, modality),
        labels=labels_from_json(_text(config, "labels")),
        window=Window(_whole("window_hu", lower), _whole("window_hu", upper)),
        normalisation=_normalisation(config),
        pixel_spacing_mm=_numbers(config, "pixel_spacing_mm", count=1)[0],
        pixel_spacing_range_mm=(low, high),
        size_multiple=_whole("size_multiple", _numbers(config, "size_multiple", count=1)[0]),
        digest=_text(config, "model_sha256"),
        precision=_text(config, "precision"),
        file_precision=_text(config, "file_precision"),
        max_batch=config.max_batch_size,
        input_name=_slice_tensor("input", config.input),
        output_name=_slice_tensor("output", config.output),
    )


def _text(config: model_config_pb2.ModelConfig, key: str) -> str:
    name = f"osteoserve.{key}"
    if name not in config.parameters:
        raise ContractError(f"parameter {name} is missing")
    return str(config.parameters[name].string_value)


def _numbers(config: model_config_pb2.ModelConfig, key: str, *, count: int) -> list[float]:
    text = _text(config, key)
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise _wrong(key, "must be numbers with commas between", text) from error
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise _wrong(key, f"must be {count} finite number(s)", text)
    return numbers


def _whole(key: str, number: float) -> int:
    if not number.is_integer():
        raise _wrong(key, "must be whole", number)
    return int(number)


def _normalisation(config: model_config_pb2.ModelConfig) -> Normalisation:
    text = _text(config, "normalisation")
    try:
        return Normalisation(text)
    except ValueError as error:
        allowed = ", ".join(item.value for item in Normalisation)
        raise _wrong("normalisation", f"must be one of {allowed}", text) from error


def _slice_tensor(
    kind: Literal["input", "output"],
    tensors: list[model_config_pb2.ModelInput] | list[model_config_pb2.ModelOutput],
) -> str:
    """Name of the input or output that is slices (H, W) of uint8; a model may answer more."""
    found = [
        tensor.name
        for tensor in tensors
        if tensor.data_type == model_config_pb2.TYPE_UINT8 and list(tensor.dims) == [-1, -1]
    ]
    if len(found) != 1 or (kind == "input" and len(tensors) != 1):
        raise ContractError(
            f"there must be one {kind} of TYPE_UINT8 and dims [-1, -1], not "
            f"{', '.join(tensor.name for tensor in tensors) or 'none'}"
        )
    return str(found[0])


def _wrong(key: str, requirement: str, value: object) -> ContractError:
    return ContractError(f"parameter osteoserve.{key} {requirement}, not {value!r}")
