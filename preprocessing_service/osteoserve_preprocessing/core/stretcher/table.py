"""Which of the thin dense things round a patient are the table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.coarse import Coarse, Mask
from osteoserve_preprocessing.core.stretcher.body import DENSE_HU
from osteoserve_preprocessing.core.stretcher.morphology import touch
from osteoserve_preprocessing.core.stretcher.sides import BACK, FRONT, Cells, Past, cells_of

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
        shining: (z, y, x) bool, what could be taken for bone, of all that is loose.
        past: The cells past the patient on the table's side.
        persistent: (z, y, x) bool, where something like it stays along the slices.
    """

    cells: Mask
    shining: Mask
    past: Past
    persistent: Mask

    def bright(self, block: slice) -> Mask:
        """Those of its cells in some slices that could be taken for bone, (z, y, x) bool."""
        bright: Mask = self.cells[block] & self.shining[block]
        return bright


@dataclass(frozen=True, eq=False)
class Loose:
    """What is dense and not the patient, in parts that hang together in 3-D.

    Args:
        parts: How many there are; their numbers begin with 1.
        bright: (z, y, x) bool, those of its cells with a voxel that could be bone.
        persistent: (z, y, x) bool, where something loose stays along the slices.
        cells: (z, y, x) indices of the cells of all parts.
        numbers: (n,) the part of each of ``cells``.
    """

    parts: int
    bright: Mask
    persistent: Mask
    cells: Cells
    numbers: npt.NDArray[np.unsignedinteger[Any]]

    def count(self, counted: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.intp]:
        """Cells of each part, by number; those of ``cells`` alone that are to be counted."""
        numbers = self.numbers if counted is None else self.numbers[counted]
        return np.bincount(numbers, minlength=self.parts + 1)


def find_loose(coarse: Coarse, patient: Mask, bright_hu: int) -> Loose:
    """Everything dense that does not touch the patient.

    Args:
        coarse: Cells of a canonical volume.
        patient: (z, y, x) bool.
        bright_hu: HU above which table and bone look alike.
    """
    dense, bright = (np.empty(patient.shape, dtype=np.bool_) for _ in range(2))
    for block, cells in coarse.blocks():
        # The cells at the patient's own outline hold skin, and would join table and blanket.
        np.greater(cells.highest > DENSE_HU, touch(patient[block]), out=dense[block])
        np.logical_and(dense[block], cells.highest > bright_hu, out=bright[block])
    persistent = _persistent(coarse, dense)
    parts: npt.NDArray[np.unsignedinteger[Any]] = cc3d.connected_components(dense, connectivity=26)
    places = cells_of(dense)
    return Loose(
        parts=int(parts.max()),
        bright=bright,
        persistent=persistent,
        cells=places,
        numbers=parts[places],
    )


def find_table(coarse: Coarse, sides: Iterable[Past], loose: Loose) -> Table | None:
    """Find the table beside a patient, on whichever side it lies.

    Args:
        coarse: Cells of a canonical volume.
        sides: Where it is looked for.
        loose: What is dense and not the patient.

    Returns:
        The table; None where nothing looks like one.
    """
    lasting = _lasting(loose)
    bright = loose.bright[loose.cells]
    found: tuple[Mask, Past] | None = None
    most = 0
    for past in sides:
        there = past.holds(loose.cells)
        tables = _tables(coarse, loose, lasting, there, past.side)
        # The back is where tables are: another side must be far ahead of it.
        shining = int(loose.count(there & bright)[tables].sum())
        shining *= ADVANTAGE_OF_BACK if past.side == BACK else 1
        if shining > most:
            found, most = (tables, past), shining
    if found is None:
        return None
    tables, past = found
    cells = np.zeros_like(loose.bright)
    cells[loose.cells] = tables[loose.numbers]
    return Table(cells, loose.bright, past, loose.persistent)


def _lasting(loose: Loose) -> Mask:
    """Which numbers of parts stay along the slices; never 0."""
    persistent = loose.persistent[loose.cells]
    lasting: Mask = loose.count(persistent) >= PERSISTENCE * loose.count()
    lasting[0] = False
    return lasting


def _tables(coarse: Coarse, loose: Loose, lasting: Mask, there: Mask, side: int) -> Mask:
    """Which numbers of parts are a table, or go with one, on that side, where some cells lie."""
    cells, past = loose.count(), loose.count(there)
    tables: Mask = lasting & (past >= SMALLEST_SHARE_BEYOND * cells)
    long_study = coarse.cells[0] * coarse.spacing[0] >= SHORTEST_STUDY_MM
    rails = (past >= RAIL_SHARE_BEYOND * cells) & (side == BACK) & long_study
    for number in np.flatnonzero(tables):
        part = tuple(along[loose.numbers == number] for along in loose.cells)
        wide = rails[number] or _width(coarse, part, side) >= NARROWEST_MM[side]
        tables[number] = wide and _is_long(coarse, part)
    if tables.any() and long_study:
        tables |= lasting & (past >= ACCESSORY_SHARE_BEYOND * cells)
    return tables


def _is_long(coarse: Coarse, part: Cells) -> bool:
    """Whether a part runs along the patient."""
    length, slices = _length(part), coarse.cells[0]
    return length >= 0.5 * slices or length * coarse.spacing[0] >= SHORTEST_MM


def _width(coarse: Coarse, part: Cells, side: int) -> float:
    """Mean width of a part's trace in a slice, in mm, seen from that side."""
    across = 2 if side in (BACK, FRONT) else 1
    trace = np.unique(part[0] * coarse.cells[across] + part[across])
    return float(trace.size * coarse.spacing[across] / _length(part))


def _length(part: Cells) -> int:
    """Slices from a part's first to its last."""
    return int(part[0][-1] - part[0][0]) + 1


def _persistent(coarse: Coarse, mask: Mask) -> Mask:
    """Where the mask, give or take a cell, is set in half of the slices round about."""
    reach = max(1, round(PERSISTENCE_MM / coarse.spacing[0]))
    slices = len(mask)
    near, enough = np.empty_like(mask), np.empty_like(mask)
    for block, _ in coarse.blocks():
        near[block] = touch(mask[block])
    set_in = near[:reach].sum(axis=0, dtype=np.int16)
    for k in range(slices):
        first, end = max(k - reach, 0), min(k + reach + 1, slices)
        if k + reach < slices:
            set_in += near[k + reach]
        if k > reach:
            set_in -= near[k - reach - 1]
        np.greater_equal(set_in, math.ceil(PERSISTENCE * (end - first)), out=enough[k])
    return enough
