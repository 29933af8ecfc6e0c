"""A mask of a whole volume in an eighth of the memory, or less."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


class VoxelMask:
    """A bit for each voxel, set and read slice by slice.

    Memory is touched only where something was set: a stretcher lies in few of a volume's rows.

    Args:
        shape: (Z, Y, X) of the volume. Nothing is set.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        slices, rows, columns = self.shape = shape
        self._bits = np.zeros((slices, rows, -(-columns // 8)), dtype=np.uint8)

    @classmethod
    def of(cls, mask: Mask) -> VoxelMask:
        """The same mask, from (Z, Y, X) bool."""
        slices, rows, columns = mask.shape
        made = cls((slices, rows, columns))
        for k, slice_ in enumerate(mask):
            made.set(k, slice(None), slice_)
        return made

    def set(self, k: int, rows: slice, mask: Mask) -> None:
        """Say of some rows of a slice, and all of their columns, what is set.

        Args:
            k: Which slice.
            rows: Which rows of it.
            mask: (rows, X) bool.
        """
        self._bits[k, rows] = np.packbits(mask, axis=1)

    def __getitem__(self, k: int) -> Mask:
        """(Y, X) bool, a slice; a copy."""
        columns = self.shape[2]
        return np.unpackbits(self._bits[k], axis=1, count=columns).view(np.bool_)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Mask]:
        return map(self.__getitem__, range(len(self)))

    def whole(self) -> Mask:
        """(Z, Y, X) bool, C order."""
        whole = np.empty(self.shape, dtype=np.bool_)
        for slice_, out in zip(self, whole, strict=True):
            out[:] = slice_
        return whole
