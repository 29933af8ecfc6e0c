"""Between the grid of a study and the canonical one: axes swapped and reversed, nothing resampled.

Canonical means that the column index grows to the patient's left, the row index to the back and
the slice index to the head: the axes of DICOM's patient coordinate system (PS3.3 C.7.6.2.1.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.errors import GeometryError
from osteoserve_preprocessing.geometry import Geometry, Volume

Scalar = TypeVar("Scalar", bound=np.generic)

#: An axis further than this from every patient axis has no nearest one worth trusting.
LARGEST_OBLIQUITY_DEGREES = 30.0

_PATIENT_AXES = ("left", "back", "head")


@dataclass(frozen=True)
class Orientation:
    """How the axes of a source array become the canonical (Z, Y, X).

    Args:
        axes: For the canonical array's axes Z, Y, X in turn, the source array's axis it is.
        flips: For the canonical array's axes Z, Y, X in turn, whether it runs backwards.

    Raises:
        GeometryError: ``axes`` is not a permutation of 0, 1, 2.
    """

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def __post_init__(self) -> None:
        if sorted(self.axes) != [0, 1, 2] or len(self.flips) != 3:
            raise GeometryError(f"axes {self.axes} and flips {self.flips} are no orientation")

    def apply(self, array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Reorder an array from the source grid to the canonical one.

        Args:
            array: Three axes, in the order of the source grid.

        Returns:
            (Z, Y, X), canonical; a view of the same values.
        """
        return np.flip(np.transpose(array, self.axes), self._flipped)

    def restore(self, array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Reorder an array from the canonical grid to the source one, the inverse of ``apply``.

        Args:
            array: (Z, Y, X), canonical.

        Returns:
            Three axes, in the order of the source grid; a view of the same values.
        """
        inverse = tuple(int(axis) for axis in np.argsort(self.axes))
        return np.transpose(np.flip(array, self._flipped), inverse)

    def first_restored(self, part: range, slices: int) -> int:
        """Where canonical slices begin along the source grid's first axis, once restored.

        Args:
            part: Which of them.
            slices: How many there are in all.
        """
        if self.axes[0] != 0:
            return 0
        return slices - part.stop if self.flips[0] else part.start

    def geometry(self, source: Geometry) -> Geometry:
        """Where the canonical grid lies: every voxel at the place it had in the source grid."""
        step = source.direction * np.array(source.spacing[::-1])
        origin = np.array(source.origin)
        columns = []
        for axis, flip in zip(self.axes, self.flips, strict=True):
            column = 2 - axis  # array axes run Z, Y, X; the direction's columns i, j, k
            if flip:
                origin = origin + step[:, column] * (source.shape[axis] - 1)
            columns.append(source.direction[:, column] * (-1.0 if flip else 1.0))
        return Geometry(
            shape=_triple(source.shape[axis] for axis in self.axes),
            spacing=_triple(source.spacing[axis] for axis in self.axes),
            origin=_triple(origin),
            direction=np.stack(columns[::-1], axis=1),
        )

    def volume(self, source: Volume) -> Volume:
        """The volume on the canonical grid, in C order."""
        voxels = np.ascontiguousarray(self.apply(source.voxels))
        return Volume(voxels, self.geometry(source.geometry))

    @property
    def is_identity(self) -> bool:
        """Whether the source grid is canonical already."""
        return self.axes == (0, 1, 2) and not any(self.flips)

    @property
    def _flipped(self) -> tuple[int, ...]:
        return tuple(axis for axis, flip in enumerate(self.flips) if flip)


def canonical_orientation(geometry: Geometry) -> Orientation:
    """The orientation that brings a grid nearest to the patient's axes.

    Args:
        geometry: Any grid; oblique ones keep their obliquity.

    Returns:
        Permutation and flips; of all 48, those with the smallest rotation left over.

    Raises:
        GeometryError: An axis is more than 30 degrees off every patient axis, so that "axial"
            would be a guess.
    """
    cosines = geometry.direction
    # columns[p] is the index (0 = i, 1 = j, 2 = k) that runs along patient axis p.
    columns = max(
        permutations(range(3)), key=lambda c: sum(abs(cosines[p, c[p]]) for p in range(3))
    )
    along = np.array([cosines[p, columns[p]] for p in range(3)])
    for p in range(3):
        degrees = float(np.degrees(np.arccos(min(1.0, abs(along[p])))))
        if degrees > LARGEST_OBLIQUITY_DEGREES:
            raise GeometryError(
                f"axis {'ijk'[columns[p]]} of the grid is {degrees:.1f} degrees off the patient's "
                f"{_PATIENT_AXES[p]} axis; more than {LARGEST_OBLIQUITY_DEGREES:.0f} is ambiguous"
            )
    return Orientation(
        axes=_triple(2 - columns[p] for p in (2, 1, 0)),
        flips=_triple(bool(along[p] < 0) for p in (2, 1, 0)),
    )


def _triple(values: Any) -> Any:
    first, second, third = values
    return first, second, third
