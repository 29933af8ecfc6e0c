"""Which of the thin dense things round a patient are the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.coarse import Coarse, Mask
from osteoserve_preprocessing.core.stretcher.body import DENSE_HU
from osteoserve_preprocessing.core.stretcher.morphology import touch

#: A table runs along the patient: through half of the slices, or at least this far.
SHORTEST_MM = 60.0
#: Mean width of a table's trace in a slice: at the back (where the border may cut it), in front,
#: left and right. Lines, tubes and ears are narrower than the first; noses, slivers of an arm
#: and other thin parts that a patient may have elsewhere than the others.
NARROWEST_MM = (40.0, 100.0, 120.0, 120.0)
#: So many times as much bright table must be found on another side to outweigh the back.
ADVANTAGE_OF_BACK = 5
#: Share of a table's cells that must lie beyond the patient. A head holder that comes up on both
#: sides of the head has the smallest.
SMALLEST_SHARE_BEYOND = 0.02
#: A table is in the same place in at least this share of the slices within this distance on
#: either side, and so is this share of its cells; vessels, skin folds and fingers are not.
PERSISTENCE, PERSISTENCE_MM = 0.5, 60.0
#: Rails and bars that go with a table lie mostly beyond the patient; what lies there all but
#: wholly, at the back, is a rail even where the table's skin is too thin to be seen. In a study
#: shorter than this everything persists, so they are not told from a finger.
ACCESSORY_SHARE_BEYOND, RAIL_SHARE_BEYOND, SHORTEST_STUDY_MM = 0.5, 0.9, 30.0


@dataclass(frozen=True, eq=False)
class Table:
    """A table on the coarse grid.

    Args:
        cells: (z, y, x) bool, what was recognised as table.
        bright: (z, y, x) bool, those of its cells that could be taken for bone.
        beyond: (z, y, x) bool, the cells past the patient on the table's side.
        persistent: (z, y, x) bool, where something like it stays along the slices.
    """

    cells: Mask
    bright: Mask
    beyond: Mask
    persistent: Mask


@dataclass(frozen=True, eq=False)
class Loose:
    """What is dense and not the patient, in parts that hang together in 3-D.

    Args:
        parts: (z, y, x) number of the part, 0 for none.
        bright: (z, y, x) bool, those of its cells with a voxel that could be bone.
        persistent: (z, y, x) bool, where something loose stays along the slices.
        where: (n,) flat indices of the cells of all parts.
        boxes: Bounding box of each part, by number.
    """

    parts: npt.NDArray[np.unsignedinteger[Any]]
    bright: Mask
    persistent: Mask
    where: npt.NDArray[np.intp]
    boxes: list[tuple[slice, slice, slice]]

    def count(self, mask: Mask | None = None) -> npt.NDArray[np.intp]:
        """Cells of each part, by number; where a mask is given, those that lie in it."""
        where = self.where if mask is None else self.where[mask.ravel()[self.where]]
        return np.bincount(self.parts.ravel()[where], minlength=len(self.boxes))


def find_loose(coarse: Coarse, patient: Mask, bright_hu: int) -> Loose:
    """Everything dense that does not touch the patient.

    Args:
        coarse: Cells of a canonical volume.
        patient: (z, y, x) bool.
        bright_hu: HU above which table and bone look alike.
    """
    # The cells at the patient's own outline hold skin, and would join table and blanket.
    dense = (coarse.highest > DENSE_HU) & ~touch(patient)
    parts = cc3d.connected_components(dense, connectivity=26)
    return Loose(
        parts=parts,
        bright=dense & (coarse.highest > bright_hu),
        persistent=_persistent(coarse, dense),
        where=np.flatnonzero(parts),
        boxes=cc3d.statistics(parts)["bounding_boxes"],
    )


def find_table(coarse: Coarse, patient: Mask, loose: Loose) -> Table | None:
    """Find the table beside a patient, on whichever of the four sides it lies.

    Args:
        coarse: Cells of a canonical volume.
        patient: (z, y, x) bool, not empty.
        loose: What else is dense.

    Returns:
        The table; None where nothing looks like one.
    """
    lasting = _lasting(loose)
    found: tuple[Mask, Mask] | None = None
    most = 0
    for side in range(4):
        zone = beyond(patient, side)
        tables = _tables(coarse, loose, lasting, zone, side)
        # The back is where tables are: another side must be far ahead of it.
        shining = int(loose.count(zone & loose.bright)[tables].sum())
        shining *= 1 if side else ADVANTAGE_OF_BACK
        if shining > most:
            found, most = (tables, zone), shining
    if found is None:
        return None
    tables, zone = found
    cells = tables[loose.parts]
    return Table(cells, cells & loose.bright, zone, loose.persistent)


def beyond(patient: Mask, side: int) -> Mask:
    """The cells past the patient on one side.

    Args:
        patient: (z, y, x) bool.
        side: 0 back, 1 front, 2 left, 3 right of the patient.

    Returns:
        (z, y, x) bool: past the last cell of the patient in the same column of the slice; where a
        column holds none, past the last cell in the slice; in slices without patient, past the
        last of all.
    """
    turned = _turn(patient, side)
    rows = turned.shape[1]
    columns = turned.any(axis=1)
    last = np.where(columns, rows - 1 - np.argmax(turned[:, ::-1], axis=1), -1)
    lowest = last.max(axis=1)
    lowest[lowest < 0] = lowest.max()
    last = np.where(columns, last, lowest[:, None])
    past = np.arange(rows)[None, :, None] > last[:, None, :]
    return _turn(past, side)


def _turn(array: Mask, side: int) -> Mask:
    """Bring a side of the slice to the end of the rows; its own inverse."""
    if side == 1:
        return array[:, ::-1]
    if side == 2:
        return array.swapaxes(1, 2)
    return array[:, ::-1, ::-1].swapaxes(1, 2) if side == 3 else array


def _lasting(loose: Loose) -> Mask:
    """Which numbers of parts stay along the slices; never 0."""
    lasting: Mask = loose.count(loose.persistent) >= PERSISTENCE * loose.count()
    lasting[0] = False
    return lasting


def _tables(coarse: Coarse, loose: Loose, lasting: Mask, zone: Mask, side: int) -> Mask:
    """Which numbers of parts are a table, or go with one, on that side."""
    cells, past = loose.count(), loose.count(zone)
    tables: Mask = lasting & (past >= SMALLEST_SHARE_BEYOND * cells)
    long_study = len(zone) * coarse.spacing[0] >= SHORTEST_STUDY_MM
    rails = (past >= RAIL_SHARE_BEYOND * cells) & (side == 0) & long_study
    for number in np.flatnonzero(tables):
        part = loose.parts[loose.boxes[number]] == number
        wide = rails[number] or _width(coarse, part, side) >= NARROWEST_MM[side]
        tables[number] = wide and _is_long(coarse, part)
    if tables.any() and long_study:
        tables |= lasting & (past >= ACCESSORY_SHARE_BEYOND * cells)
    return tables


def _is_long(coarse: Coarse, part: Mask) -> bool:
    """Whether a part, cut out by its box, runs along the patient."""
    length, slices = part.shape[0], coarse.lowest.shape[0]
    return length >= 0.5 * slices or length * coarse.spacing[0] >= SHORTEST_MM


def _width(coarse: Coarse, part: Mask, side: int) -> float:
    """Mean width of a part's trace in a slice, in mm, seen from that side."""
    across = 2 if side < 2 else 1
    return float(part.any(axis=3 - across).sum()) * coarse.spacing[across] / part.shape[0]


def _persistent(coarse: Coarse, mask: Mask) -> Mask:
    """Where the mask, give or take a cell, is set in half of the slices round about."""
    reach = max(1, round(PERSISTENCE_MM / coarse.spacing[0]))
    sums = np.zeros((len(mask) + 1, *mask.shape[1:]), dtype=np.int16)
    np.cumsum(touch(mask), axis=0, dtype=np.int16, out=sums[1:])
    enough = np.empty(mask.shape, dtype=np.bool_)
    for k in range(len(mask)):
        first, end = max(k - reach, 0), min(k + reach + 1, len(mask))
        np.greater_equal(sums[end] - sums[first], PERSISTENCE * (end - first), out=enough[k])
    return enough
