"""A volume and its labels in memory that caller and service share: offered, taken, agreed upon."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.errors import SharedMemoryError
from osteoserve_preprocessing.shared_memory import Reference, attach, reference_to
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

#: Initial metadata of a service that sees what it was offered.
SHARED: Final = ("x-osteoserve-memory", "shared")

#: Of voxels on the wire, and in shared memory.
_INT16: Final = np.dtype("<i2")


def can_be_shared(array: npt.NDArray[Any]) -> bool:
    """Whether voxels or labels lie whole, and as they would be sent, where others can see them."""
    return array.dtype in (_INT16, np.uint8) and reference_to(array) is not None


def offer(voxels: npt.NDArray[np.int16], labels: npt.NDArray[np.uint8]) -> pb.SharedVolume:
    """What a header says of them.

    Args:
        voxels: (Z, Y, X), to be read; `can_be_shared`.
        labels: The same shape, of `empty_shareable`: where labels are to go.
    """
    return pb.SharedVolume(voxels=_message(voxels), labels=_message(labels))


def take(
    offered: pb.SharedVolume, shape: tuple[int, int, int]
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    """Voxels, to be read alone, and the place of the labels, both (Z, Y, X).

    Raises:
        SharedMemoryError: They are not there, or not for this process to see.
    """
    return (
        attach(_reference(offered.voxels), shape, _INT16),
        attach(_reference(offered.labels), shape, np.uint8, writable=True),
    )


def agreed(metadata: Iterable[tuple[str, str | bytes]] | None) -> bool:
    """Whether a service's initial metadata say that it sees what it was offered."""
    return SHARED in map(tuple, metadata or ())


def _message(array: npt.NDArray[Any]) -> pb.SharedMemory:
    reference = reference_to(array)
    if reference is None:
        raise SharedMemoryError("an array lies in no memory that can be shared")
    return pb.SharedMemory(**reference._asdict())


def _reference(message: pb.SharedMemory) -> Reference:
    return Reference(message.process, message.descriptor, message.secret)
