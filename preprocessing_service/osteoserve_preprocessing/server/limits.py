"""How much the service takes on at once, and how long it waits."""

from __future__ import annotations

from dataclasses import dataclass

from osteoserve_preprocessing.errors import OptionError, UploadError

#: Bytes of a voxel on the wire: int16, or uint16 for counts.
VOXEL_BYTES = 2


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of memory, concurrency and patience.

    Args:
        chunk_bytes: Size of the chunks of an answer.
        volume_bytes: Largest volume, as int16.
        slices: Most slices of a volume.
        resident_volumes: Volumes that may be in memory at once, from the first chunk of the
            request to the last of the answer.
        concurrent_calls: Calls whose header is read; those without a place for their volume wait
            before their upload.
        queued_calls: Further calls that wait; those beyond are refused at once.
        retry_after_s: What a refused caller is told to wait.
        idle_s: Longest silence of a client, before each message that it sends or takes.
            Keepalive alone notices a stopped client only after a minute.
        upload_s: Longest that one upload may take.
        inference_s: Longest that Triton may take for one volume.
        drain_s: How long running calls may go on after the service was told to stop.

    Raises:
        OptionError: A bound is not positive.
    """

    chunk_bytes: int = 1 << 20
    volume_bytes: int = 1 << 30
    slices: int = 2000
    resident_volumes: int = 2
    concurrent_calls: int = 8
    queued_calls: int = 8
    retry_after_s: int = 10
    idle_s: float = 30.0
    upload_s: float = 120.0
    inference_s: float = 300.0
    drain_s: float = 30.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 0 or (value == 0 and name not in ("queued_calls", "drain_s")):
                raise OptionError(f"limit {name} must be positive, not {value}")

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
