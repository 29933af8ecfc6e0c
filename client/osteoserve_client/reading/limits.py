"""How large a volume may be before memory is taken for it: headers can claim anything."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from osteoserve_client.errors import PixelDataError

#: Most voxels of one volume: 4,096 slices of 512x512, 2 GiB as int16.
MAX_VOXELS = 1 << 30

#: Most pixels of one slice, in any direction, or of one planar image: they are worked on as a
#: whole, as float64. A whole-body scan has 1024 x 512 at most.
MAX_PIXELS = 1 << 24


def check_size(shape: Sequence[int], name: str, *, most: int = MAX_VOXELS) -> None:
    """Refuses a volume, or image, that no scanner makes.

    Args:
        shape: Lengths of its axes.
        name: How messages call it.
        most: How many voxels or pixels are read.

    Raises:
        PixelDataError: It has more, or none; or a slice has more than are read.
    """
    voxels, unit = prod(shape), "voxels" if most == MAX_VOXELS else "pixels"
    declared = f"{name}: declares {'x'.join(str(n) for n in shape) or 'no'} {unit}"
    if not 0 < voxels <= most or min(shape, default=0) < 1:
        raise PixelDataError(f"{declared}; at least 1 and at most {most} are read")
    if prod(sorted(shape)[-2:]) > MAX_PIXELS:
        raise PixelDataError(f"{declared}; at most {MAX_PIXELS} in a slice are read")
