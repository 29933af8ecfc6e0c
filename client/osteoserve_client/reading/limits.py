"""How large a volume may be before memory is taken for it: headers can claim anything."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from osteoserve_client.errors import PixelDataError

#: Most voxels of one volume: 4,096 slices of 512x512, 2 GiB as int16.
MAX_VOXELS = 1 << 30


def check_size(shape: Sequence[int], name: str) -> None:
    """Refuses a volume that no scanner makes.

    Raises:
        PixelDataError: It has more than ``MAX_VOXELS`` voxels, or none.
    """
    voxels = prod(shape)
    if not 0 < voxels <= MAX_VOXELS or min(shape) < 1:
        raise PixelDataError(
            f"{name}: declares {'x'.join(str(n) for n in shape)} voxels; "
            f"at least 1 and at most {MAX_VOXELS} are read"
        )
