"""How much the service takes on at once, and how long it waits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

from osteoserve_preprocessing.errors import OptionError, UploadError

#: Bytes of a voxel on the wire: int16, or uint16 for counts.
VOXEL_BYTES: Final = 2

#: gRPC's default, stated: no message may be larger, however it is declared.
MESSAGE_BYTES: Final = 4 << 20

#: The largest chunk that fits into a message, with room for what frames it.
LARGEST_CHUNK: Final = MESSAGE_BYTES - (1 << 10)

#: Bounds that may be nothing: no queue, no patience with running calls.
_MAY_BE_ZERO: Final = ("queued_calls", "drain_s")


def _bound(default: float, meaning: str) -> Any:
    """A bound, and what its option and the documentation say of it."""
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of memory, concurrency and patience; names end with the unit, ``_s`` is seconds.

    What each one means stands beside it, and becomes the help of its option.

    Raises:
        OptionError: A bound is not positive, not finite, or a chunk would fit into no message.
    """

    chunk_bytes: int = _bound(1 << 20, "Size of the chunks of an answer; at most 4095KiB.")
    volume_bytes: int = _bound(1 << 30, "Largest volume, as int16.")
    slices: int = _bound(2000, "Most slices of a volume.")
    resident_volumes: int = _bound(
        2, "Volumes in memory at once, from the first chunk to the last of the answer."
    )
    concurrent_calls: int = _bound(
        8, "Calls at once; those without a place for their volume wait before their upload."
    )
    queued_calls: int = _bound(8, "Further calls that wait; those beyond are refused at once.")
    retry_after_s: int = _bound(10, "What a refused caller is told to wait.")
    # Keepalive alone notices a stopped client only after a minute.
    idle_s: float = _bound(30.0, "Longest silence of a client, sending or taking.")
    upload_s: float = _bound(120.0, "Longest that one upload may take.")
    inference_s: float = _bound(300.0, "Longest that Triton may take for one volume.")
    drain_s: float = _bound(30.0, "How long running calls may go on after a stop was asked for.")

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and (value > 0 or (not value and name in _MAY_BE_ZERO))):
                raise OptionError(f"limit {name} must be positive, not {value}")
        if self.chunk_bytes > LARGEST_CHUNK:
            raise OptionError(f"limit chunk_bytes must be at most {LARGEST_CHUNK}: a message ends")

    def check(self, shape: tuple[int, int, int]) -> None:
        """Refuse an upload that is too large, before a byte of it is taken.

        Args:
            shape: (Z, Y, X) of a volume, or (V, Y, X) of views.

        Raises:
            UploadError: It has too many slices or bytes.
        """
        slices, rows, columns = shape
        declared = slices * rows * columns * VOXEL_BYTES
        if slices > self.slices:
            raise UploadError(f"a volume may have {self.slices} slices, not {slices}")
        if declared > self.volume_bytes:
            raise UploadError(f"a volume may have {self.volume_bytes} bytes, not {declared}")
