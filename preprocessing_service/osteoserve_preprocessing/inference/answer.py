"""Checks of what goes to a model and of what comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferResult, model_config_pb2
from tritonclient.utils import triton_to_np_dtype

from osteoserve_preprocessing.errors import InferenceError, VoxelError
from osteoserve_preprocessing.inference.contract import (
    DetectionContract,
    ModelContract,
    SegmentationContract,
)
from osteoserve_preprocessing.inference.detections import Detections, unpack_detections
from osteoserve_preprocessing.inference.parameters import detection_tensors


def checked_slices(slices: npt.NDArray[np.uint8], contract: SegmentationContract) -> None:
    """Refuse what the model was not made for.

    Raises:
        VoxelError: Not (N, H, W) uint8 with at least one slice, or H or W is no multiple of the
            contract's ``size_multiple``.
    """
    if slices.dtype != np.uint8 or slices.ndim != 3 or not slices.size:
        raise VoxelError(
            f"slices must be (N, H, W) uint8 and at least one, not {slices.shape} {slices.dtype}"
        )
    multiple = contract.size_multiple
    if any(size % multiple for size in slices.shape[1:]):
        raise VoxelError(f"slices of {slices.shape[1:]} are not in multiples of {multiple}")


def checked_views(views: npt.NDArray[np.uint8], contract: DetectionContract) -> None:
    """Refuse what the model was not made for.

    Raises:
        VoxelError: Not (N, H, W) uint8 with at least one image, or of another size.
    """
    if views.dtype != np.uint8 or views.ndim != 3 or not views.size:
        raise VoxelError(
            f"views must be (N, H, W) uint8 and at least one, not {views.shape} {views.dtype}"
        )
    if views.shape[1:] != contract.image_size:
        raise VoxelError(f"views of {views.shape[1:]} are not of {contract.image_size}")


def checked_labels(
    answer: InferResult, contract: SegmentationContract, shape: tuple[int, ...]
) -> npt.NDArray[np.uint8]:
    """The labels in Triton's answer.

    Args:
        answer: As tritonclient read it.
        contract: What was promised.
        shape: (N, H, W) of what was asked.

    Returns:
        (N, H, W) uint8, read-only.

    Raises:
        InferenceError: The answer has no labels, of another shape or dtype, or has a value that
            is no label of the contract.
    """
    labels = _tensor(answer, contract, contract.output_name, shape, np.dtype(np.uint8))
    _check_values(labels, contract)
    return labels


def checked_detections(
    answer: InferResult, contract: DetectionContract, count: int
) -> tuple[Detections, ...]:
    """The detections in Triton's answer.

    Args:
        answer: As tritonclient read it.
        contract: What was promised.
        count: N, how many images were asked.

    Returns:
        Those of each image.

    Raises:
        InferenceError: A tensor is missing or of another shape or dtype, a number is not finite or
            impossible, or a label is none of the contract.
    """
    tensors = {
        name: _tensor(answer, contract, name, (count, *dims), _dtype(data_type))
        for name, (data_type, dims) in detection_tensors(contract).items()
    }
    tensors["count"] = tensors["count"].reshape(count)
    counts = tensors["count"]
    if counts.min() < 0 or counts.max() > contract.detections:
        raise InferenceError(f"model {contract.name}: answered counts of {counts.tolist()}")
    _check_values(tensors["labels"], contract)
    found = unpack_detections(tensors)
    for each in found:
        numbers = (each.boxes, each.scores, each.masks)
        if not all(np.isfinite(part).all() for part in numbers) or not each.labels.all():
            raise InferenceError(f"model {contract.name}: answered what is no detection")
    return found


def _dtype(data_type: int) -> np.dtype[Any]:
    name = model_config_pb2.DataType.Name(data_type).removeprefix("TYPE_")
    return np.dtype(triton_to_np_dtype(name))


def _tensor(
    answer: InferResult,
    contract: ModelContract,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> npt.NDArray[Any]:
    try:
        values = answer.as_numpy(name)
    except ValueError as error:  # more or fewer bytes than its own shape says
        raise InferenceError(f"model {contract.name}: its answer is garbled: {error}") from error
    if values is None:
        raise InferenceError(f"model {contract.name}: no {name} in its answer")
    if values.shape != shape or values.dtype != dtype:
        raise InferenceError(
            f"model {contract.name}: answered {values.shape} {values.dtype}, not {shape} {dtype}"
        )
    return np.asarray(values)


def _check_values(labels: npt.NDArray[np.uint8], contract: ModelContract) -> None:
    # Six times as fast as a look-up table in NumPy, and this looks at every voxel of a study.
    strange = set(labels.tobytes().translate(None, delete=bytes(contract.label_values)))
    if strange:
        values = sorted(strange)
        raise InferenceError(f"model {contract.name}: answered values that are no labels: {values}")
