"""Checks of what goes to a model and of what comes back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferResult

from osteoserve_preprocessing.errors import InferenceError, VoxelError
from osteoserve_preprocessing.inference.contract import ModelContract


def checked_slices(slices: npt.NDArray[np.uint8], contract: ModelContract) -> None:
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


def checked_labels(
    answer: InferResult, contract: ModelContract, shape: tuple[int, ...]
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
    try:
        labels = answer.as_numpy(contract.output_name)
    except ValueError as error:  # more or fewer bytes than its own shape says
        raise InferenceError(f"model {contract.name}: its answer is garbled: {error}") from error
    if labels is None:
        raise InferenceError(f"model {contract.name}: no {contract.output_name} in its answer")
    if labels.shape != shape or labels.dtype != np.uint8:
        raise InferenceError(
            f"model {contract.name}: answered {labels.shape} {labels.dtype}, not {shape} uint8"
        )
    # Six times as fast as a look-up table in NumPy, and this looks at every voxel of a study.
    strange = set(labels.tobytes().translate(None, delete=bytes(contract.label_values)))
    if strange:
        values = sorted(strange)
        raise InferenceError(f"model {contract.name}: answered values that are no labels: {values}")
    return np.asarray(labels)
