"""The arithmetic: hot pixels over pixels of the skeleton, each pixel counted once and traceable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from osteoserve_client.bone_scan_index.bladder import bladder_region
from osteoserve_client.errors import ServiceError
from osteoserve_client.scintigram import VIEWS, View

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Standing = Literal["counted", "excluded", "outside"]

#: Labels that are treated in their own way, by their names.
KIDNEY: Final = "kidney"
PELVIS: Final = "pelvis"

#: In a picture of parts: outside every region; the bladder region; what is added where it is hot.
OUTSIDE: Final = 0
BLADDER: Final = 127
HOT: Final = 128


@dataclass(frozen=True)
class NamedRegion:
    """One region of one view.

    Args:
        number: What the numbers' map gives to its pixels, 1..126.
        name: Of its label.
        view: In which view.
        side: The patient's "left" or "right"; "" in the middle.
    """

    number: int
    name: str
    view: View
    side: str = ""


@dataclass(frozen=True)
class Area:
    """Pixels, and how many of them are hot."""

    pixels: int = 0
    hot: int = 0

    def __add__(self, other: Area) -> Area:
        return Area(self.pixels + other.pixels, self.hot + other.hot)

    @property
    def per_cent(self) -> float | None:
        """Hot pixels of all, 0..100; None of no pixels."""
        return 100 * self.hot / self.pixels if self.pixels else None


@dataclass(frozen=True)
class Part:
    """Pixels of one view that count as one thing.

    Args:
        number: What ``BoneScanIndex.pictures`` gives to them.
        view: In which view.
        region: Name of the label; "bladder_region"; "outside".
        side: The patient's "left" or "right"; "" in the middle.
        standing: Whether they count.
        area: How many there are.
    """

    number: int
    view: View
    region: str
    side: str
    standing: Standing
    area: Area


@dataclass(frozen=True, eq=False)
class BoneScanIndex:
    """Hot pixels over pixels of the skeleton, and what each pixel counted as.

    Args:
        parts: Of each view its regions, the bladder region, and what lies outside.
        pictures: For each view (Y, X) uint8: the number of the part, and 128 more where it is hot.
    """

    parts: tuple[Part, ...]
    pictures: Mapping[View, Pixels]

    @property
    def skeleton(self) -> Area:
        """What is counted, over all views."""
        return self._sum(self._counted())

    @property
    def per_cent(self) -> float:
        """The index over all views, 0..100."""
        return 100 * self.skeleton.hot / self.skeleton.pixels

    @property
    def by_view(self) -> Mapping[View, Area]:
        """The skeleton in each view."""
        return {
            view: self._sum(p for p in self._counted() if p.view == view) for view in self.pictures
        }

    @property
    def by_region(self) -> Mapping[str, Area]:
        """The regions of the skeleton, sides and views together, by names without the view."""
        names = dict.fromkeys(without_view(part.region) for part in self._counted())
        return {
            name: self._sum(p for p in self._counted() if without_view(p.region) == name)
            for name in names
        }

    def not_counted(self, region: str) -> Area:
        """An excluded region, or "outside", over all views."""
        return self._sum(
            part for part in self.parts if part.standing != "counted" and part.region == region
        )

    @property
    def hot_pixels(self) -> int:
        """All hot pixels of the masks, counted or not."""
        return sum(part.area.hot for part in self.parts)

    def _counted(self) -> Iterator[Part]:
        return (part for part in self.parts if part.standing == "counted")

    @staticmethod
    def _sum(parts: Iterator[Part]) -> Area:
        return sum((part.area for part in parts), Area())


def without_view(name: str) -> str:
    """A label's name without the view: "anterior_right_humerus" is "right_humerus"."""
    for view in VIEWS:
        name = name.removeprefix(f"{view}_")
    return name


def bone_scan_index(
    numbers: Mapping[View, Pixels],
    regions: Sequence[NamedRegion],
    hot: Mapping[View, Mask],
    *,
    exclude_bladder: bool = True,
) -> BoneScanIndex:
    """Hot-spot area over skeletal area of a planar scan (Yu 2023, section 1), kidneys excluded.

    A view without a hot-spot mask is left out of both areas: nobody looked for hot spots there.

    Args:
        numbers: For each view (Y, X) uint8: 0, or the number of the region that has the pixel.
        regions: Every region, of every view.
        hot: (Y, X) bool, for one view or both, on the same grid.
        exclude_bladder: Leave `bladder_region` out of both areas.

    Raises:
        ServiceError: There is no pixel of the skeleton, or more than 126 regions.
    """
    if any(not 0 < region.number < BLADDER for region in regions):
        raise ServiceError(f"there are more regions than the {BLADDER - 1} that can be counted")
    pictures: dict[View, Pixels] = {}
    parts: list[Part] = []
    for view in (view for view in VIEWS if view in hot):
        own = [region for region in regions if region.view == view]
        picture = numbers[view].copy()
        if exclude_bladder:
            pelvis = np.isin(picture, [region.number for region in own if region.name == PELVIS])
            picture[bladder_region(pelvis)] = BLADDER
        picture[hot[view]] += HOT
        pictures[view] = picture
        parts += _parts(view, own, picture, exclude_bladder=exclude_bladder)
    found = BoneScanIndex(tuple(parts), pictures)
    if not found.skeleton.pixels:
        raise ServiceError(
            "no region of the skeleton was found: hot spots cannot be set against it"
        )
    return found


def _parts(
    view: View, regions: Sequence[NamedRegion], picture: Pixels, *, exclude_bladder: bool
) -> Iterator[Part]:
    counts = np.bincount(picture.ravel(), minlength=2 * HOT)

    def part(number: int, region: str, side: str, standing: Standing) -> Part:
        hot = int(counts[number + HOT])
        return Part(number, view, region, side, standing, Area(int(counts[number]) + hot, hot))

    for region in regions:
        standing: Standing = "excluded" if region.name == KIDNEY else "counted"
        yield part(region.number, region.name, region.side, standing)
    if exclude_bladder:
        yield part(BLADDER, "bladder_region", "", "excluded")
    yield part(OUTSIDE, "outside", "", "outside")
