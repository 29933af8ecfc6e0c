"""Contracts as the parameters of a model's config.pbtxt, with keys that begin with ``osteoserve.``.

`contract_from_config` reads a contract, `contract_parameters` writes it, and reading what was
written gives the same contract.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal, cast

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from osteoserve_preprocessing.core.options import Normalisation, Window
from osteoserve_preprocessing.errors import ContractError, OptionError
from osteoserve_preprocessing.inference.contract import (
    DetectionContract,
    Modality,
    ModelContract,
    SegmentationContract,
    wrong,
)
from osteoserve_preprocessing.inference.labels import labels_from_json, labels_to_json

CONTRACT_VERSION: Final = "1"

#: What a configuration means that states no task: the first contracts were of one task alone.
DEFAULT_TASK: Final = SegmentationContract.task

_UINT8: Final = model_config_pb2.TYPE_UINT8
_INT32: Final = model_config_pb2.TYPE_INT32
_FP32: Final = model_config_pb2.TYPE_FP32


def contract_parameters(contract: ModelContract) -> dict[str, str]:
    """The parameters of config.pbtxt that state this contract."""
    own = _detection if isinstance(contract, DetectionContract) else _segmentation
    stated = {
        "contract": CONTRACT_VERSION,
        "task": contract.task,
        "modality": contract.modality,
        "labels": labels_to_json(contract.labels),
        "orientation": contract.orientation,
        "model_sha256": contract.digest,
        "precision": contract.precision,
        "file_precision": contract.file_precision,
        **own(contract),
    }
    return {f"osteoserve.{key}": value for key, value in stated.items()}


def detection_tensors(contract: DetectionContract) -> dict[str, tuple[int, list[int]]]:
    """Type and shape of each output of one image, by name."""
    places, cells = contract.detections, contract.mask_cells
    return {
        "boxes": (_FP32, [places, 4]),
        "labels": (_UINT8, [places]),
        "scores": (_FP32, [places]),
        "masks": (_FP32, [places, cells, cells]),
        # Triton has no tensor without axes beside the batch: see the reshape in the configuration.
        "count": (_INT32, [1]),
    }


def contract_from_config(config: model_config_pb2.ModelConfig, version: str) -> ModelContract:
    """Read a contract from a model's configuration.

    Args:
        config: As Triton's ModelConfig call answers it, or as parsed from config.pbtxt.
        version: The version that is served.

    Returns:
        A `SegmentationContract` or a `DetectionContract`.

    Raises:
        ContractError: A parameter is missing or impossible; the message names model and parameter.
    """
    try:
        return _read(config, version)
    except (ContractError, OptionError) as error:
        raise ContractError(f"model {config.name}: {error}") from error


def read_contract(path: Path, version: str) -> ModelContract:
    """Read a contract from a configuration file.

    Args:
        path: A config.pbtxt, or that of a profile.
        version: The version that is served.

    Raises:
        ContractError: As `contract_from_config`.
        google.protobuf.text_format.ParseError: The file is no configuration.
        OSError: It cannot be read.
    """
    text = path.read_text(encoding="utf-8")
    return contract_from_config(text_format.Parse(text, model_config_pb2.ModelConfig()), version)


def _segmentation(contract: ModelContract) -> dict[str, str]:
    contract = cast(SegmentationContract, contract)
    return {
        "window_hu": f"{contract.window.lower},{contract.window.upper}",
        "normalisation": contract.normalisation.value,
        "pixel_spacing_mm": repr(contract.pixel_spacing_mm),
        "pixel_spacing_range_mm": ",".join(map(repr, contract.pixel_spacing_range_mm)),
        "size_multiple": str(contract.size_multiple),
        "cut_to_body": str(contract.cut_to_body).lower(),
    }


def _detection(contract: ModelContract) -> dict[str, str]:
    contract = cast(DetectionContract, contract)
    return {
        "image_size": ",".join(map(str, contract.image_size)),
        "detections": str(contract.detections),
        "mask_cells": str(contract.mask_cells),
    }


def _read(config: model_config_pb2.ModelConfig, version: str) -> ModelContract:
    if _text(config, "contract") != CONTRACT_VERSION:
        raise wrong("contract", f"must be {CONTRACT_VERSION}", _text(config, "contract"))
    stated = "osteoserve.task" in config.parameters
    task = _text(config, "task") if stated else DEFAULT_TASK
    readers = {"segmentation": _read_segmentation, "detection": _read_detection}
    if task not in readers:
        raise wrong("task", f"must be one of {', '.join(readers)}", task)
    shared = {
        "name": config.name,
        "version": version,
        "modality": cast(Modality, _text(config, "modality")),
        "labels": labels_from_json(_text(config, "labels")),
        "digest": _text(config, "model_sha256"),
        "precision": _text(config, "precision"),
        "file_precision": _text(config, "file_precision"),
        "max_batch": config.max_batch_size,
    }
    contract = readers[task](config, shared)
    if _text(config, "orientation") != contract.orientation:
        raise wrong(
            "orientation",
            f"must be {contract.orientation!r} for {task} of {contract.modality}",
            _text(config, "orientation"),
        )
    return contract


def _read_segmentation(
    config: model_config_pb2.ModelConfig, shared: dict[str, Any]
) -> SegmentationContract:
    lower, upper = _whole_numbers(config, "window_hu", count=2)
    low, high = _numbers(config, "pixel_spacing_range_mm", count=2)
    return SegmentationContract(
        **shared,
        window=Window(lower, upper),
        normalisation=_normalisation(config),
        pixel_spacing_mm=_numbers(config, "pixel_spacing_mm", count=1)[0],
        pixel_spacing_range_mm=(low, high),
        size_multiple=_whole_numbers(config, "size_multiple", count=1)[0],
        cut_to_body=_cut_to_body(config),
        input_name=_slice_tensor("input", config.input),
        output_name=_slice_tensor("output", config.output),
    )


def _read_detection(
    config: model_config_pb2.ModelConfig, shared: dict[str, Any]
) -> DetectionContract:
    rows, columns = _whole_numbers(config, "image_size", count=2)
    contract = DetectionContract(
        **shared,
        image_size=(rows, columns),
        detections=_whole_numbers(config, "detections", count=1)[0],
        mask_cells=_whole_numbers(config, "mask_cells", count=1)[0],
    )
    _check_tensors("input", config.input, {contract.input_name: (_UINT8, [rows, columns])})
    _check_tensors("output", config.output, detection_tensors(contract))
    return contract


def _text(config: model_config_pb2.ModelConfig, key: str) -> str:
    name = f"osteoserve.{key}"
    if name not in config.parameters:
        raise ContractError(f"parameter {name} is missing")
    return str(config.parameters[name].string_value)


def _cut_to_body(config: model_config_pb2.ModelConfig) -> bool:
    """Where nothing is stated, nothing was proved: whole slices are right for every network."""
    if "osteoserve.cut_to_body" not in config.parameters:
        return False
    text = _text(config, "cut_to_body")
    if text not in ("true", "false"):
        raise wrong("cut_to_body", "must be true or false", text)
    return text == "true"


def _numbers(config: model_config_pb2.ModelConfig, key: str, *, count: int) -> list[float]:
    text = _text(config, key)
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise wrong(key, "must be numbers with commas between", text) from error
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise wrong(key, f"must be {count} finite number(s)", text)
    return numbers


def _whole_numbers(config: model_config_pb2.ModelConfig, key: str, *, count: int) -> list[int]:
    numbers = _numbers(config, key, count=count)
    for number in numbers:
        if not number.is_integer():
            raise wrong(key, "must be whole", number)
    return [int(number) for number in numbers]


def _normalisation(config: model_config_pb2.ModelConfig) -> Normalisation:
    text = _text(config, "normalisation")
    try:
        return Normalisation(text)
    except ValueError as error:
        allowed = ", ".join(item.value for item in Normalisation)
        raise wrong("normalisation", f"must be one of {allowed}", text) from error


def _slice_tensor(kind: Literal["input", "output"], tensors: Iterable[Any]) -> str:
    """Name of the input or output that is slices (H, W) of uint8; a model may answer more."""
    found = [
        tensor.name
        for tensor in tensors
        if tensor.data_type == _UINT8 and list(tensor.dims) == [-1, -1]
    ]
    if len(found) != 1 or (kind == "input" and len(list(tensors)) != 1):
        raise ContractError(
            f"there must be one {kind} of TYPE_UINT8 and dims [-1, -1], not "
            f"{', '.join(tensor.name for tensor in tensors) or 'none'}"
        )
    return str(found[0])


def _check_tensors(
    kind: Literal["input", "output"],
    tensors: Iterable[Any],
    expected: dict[str, tuple[int, list[int]]],
) -> None:
    found = {tensor.name: (tensor.data_type, list(tensor.dims)) for tensor in tensors}
    for name, (data_type, dims) in expected.items():
        if found.get(name) != (data_type, dims):
            word = model_config_pb2.DataType.Name(data_type)
            raise ContractError(f"there must be an {kind} {name} of {word} and dims {dims}")
    if set(found) != set(expected):
        raise ContractError(f"there must be no {kind} beside {', '.join(expected)}")
