"""Which region each pixel belongs to, what it holds, and what a patient has that was not found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.regions import SIDES, Region, RegionName

#: Seen in every view, twice where they are paired. Kidneys need not be: a patient may have one, and
#: the anterior view seldom shows them.
ALWAYS: Final = ("skull", "spine", "chest", "humerus", "pelvis", "femurs")

Counts = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, eq=False)
class RegionMaps:
    """One region for each pixel.

    Args:
        labels: (V, Y, X) uint8, 0 background.
        numbers: (V, Y, X) uint8, 0 background, else the place of the region, from 1.
    """

    labels: npt.NDArray[np.uint8]
    numbers: npt.NDArray[np.uint8]


def map_regions(
    regions: Sequence[Region], views: Sequence[str], shape: tuple[int, int]
) -> RegionMaps:
    """Give each pixel to the surest of the regions that hold it.

    Args:
        regions: The surest first, at most 255.
        views: In the order of the maps.
        shape: (Y, X) of each.
    """
    numbers = np.zeros((len(views), *shape), dtype=np.uint8)
    for number, region in reversed(list(enumerate(regions, start=1))):
        numbers[views.index(region.view)][region.mask] = number
    table = np.array([0, *(region.label for region in regions)], dtype=np.uint8)
    return RegionMaps(table[numbers], numbers)


@dataclass(frozen=True)
class RegionMeasure:
    """What the maps give to a region.

    Args:
        pixels: How many.
        square_millimetres: Their area; None where the pixel spacing is not known.
        mean_counts: Of them; None where there are none.
        max_counts: Likewise.
    """

    pixels: int
    square_millimetres: float | None
    mean_counts: float | None
    max_counts: int | None


def measure_regions(
    maps: RegionMaps, counts: Counts, regions: int, pixel_spacing_mm: tuple[float, float] | None
) -> tuple[RegionMeasure, ...]:
    """Measure every region.

    Args:
        maps: See `map_regions`.
        counts: (V, Y, X), the views as they were sent.
        regions: How many there are.
        pixel_spacing_mm: (between rows, between columns), or None.
    """
    area = pixel_spacing_mm[0] * pixel_spacing_mm[1] if pixel_spacing_mm else None
    measures = []
    for number in range(1, regions + 1):
        held = counts[maps.numbers == number]
        measures.append(
            RegionMeasure(
                pixels=held.size,
                square_millimetres=None if area is None else held.size * area,
                mean_counts=float(held.mean(dtype=np.float64)) if held.size else None,
                max_counts=int(held.max()) if held.size else None,
            )
        )
    return tuple(measures)


class Finding(Enum):
    """How the number of regions differs from what a patient has."""

    MISSING = auto()
    DOUBLED = auto()


@dataclass(frozen=True)
class RegionFinding:
    """A region that was not found as often as a patient has it.

    Args:
        finding: Missing or doubled.
        label: Of the model.
        view: In which view.
        side: The patient's, "" in the middle.
    """

    finding: Finding
    label: int
    view: str
    side: str


def expected_regions(view: str, names: Mapping[int, str]) -> int:
    """How many regions a view shows of every patient, of those that a model has names for."""
    return sum(
        len(sides)
        for said, sides in (_sides(view, name) for name in names.values())
        if said.bone in ALWAYS
    )


def region_findings(
    regions: Sequence[Region], views: Sequence[str], names: Mapping[int, str]
) -> tuple[RegionFinding, ...]:
    """Hold what was found against what a patient has (Yu 2023, section 2.4: a humerus not found).

    Args:
        regions: What was found.
        views: Those that the scan has.
        names: Of the model's labels. Regions with other names than the paper's may be doubled, but
            are never missing.
    """
    count = Counter((region.view, region.label, region.side) for region in regions)
    return tuple(_findings(count, views, names))


def _findings(
    count: Counter[tuple[str, int, str]], views: Sequence[str], names: Mapping[int, str]
) -> Iterator[RegionFinding]:
    for view in views:
        for label, name in sorted(names.items()):
            said, sides = _sides(view, name)
            # Where nothing showed the middle, a region of a pair may be of either side.
            unknown = count[view, label, ""] if "" not in sides else 0
            for side in sides:
                found = count[view, label, side]
                if found > 1:
                    yield RegionFinding(Finding.DOUBLED, label, view, side)
                elif not found and unknown:
                    unknown -= 1
                elif not found and said.bone in ALWAYS:
                    yield RegionFinding(Finding.MISSING, label, view, side)


def _sides(view: str, name: str) -> tuple[RegionName, tuple[str, ...]]:
    """On which sides a view shows what a name stands for; "" in the middle."""
    said = RegionName.of(name)
    if said.view not in ("", view):
        return said, ()
    return said, (said.side,) if said.side or not said.paired else SIDES
