"""The words beside the pictures: the figure, the colours, tables by view and region, cautions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image

from osteoserve_client.bone_scan_index.index import Area
from osteoserve_client.bone_scan_index.result import ScanIndex
from osteoserve_client.writing.colours import Colour
from osteoserve_client.writing.preview.annotation import AMBER, MUTED, WHITE, text_width, write
from osteoserve_client.writing.preview.layout import LEGEND
from osteoserve_client.writing.preview.legend import TEXT_LINE, Legend

#: What a pixel is shown as; numbers stand beside every colour.
SKELETON, HOT_COUNTED, EXCLUDED, HOT_NOT_COUNTED = 1, 2, 3, 4
COLOURS: Final[Mapping[int, Colour]] = {
    SKELETON: (150, 190, 230),
    HOT_COUNTED: (255, 40, 30),
    EXCLUDED: (250, 200, 60),
    HOT_NOT_COUNTED: (170, 60, 220),
}

#: Height of the figure, of the room that it takes, and of the gap between blocks, pixels.
FIGURE, FIGURE_ROOM, GAP = 54, 112, 12
#: Height of the words of a table, pixels.
SMALL = 16

#: Cautions that there is room for; the rest is in bsi.json.
MOST_CAUTIONS: Final = 5

MM2_PER_CM2: Final = 100.0

_WHAT: Final = (
    "Hot-spot area over skeletal area of planar views. Not the index of Imbriaco 1998, which "
    "weighs bones by mass. Research only. R, L: the patient's right and left."
)


@dataclass(frozen=True)
class _Table:
    """Names at the left, figures at the right."""

    heading: tuple[str, str]
    rows: tuple[tuple[str, str], ...]

    @property
    def height(self) -> int:
        return TEXT_LINE * (len(self.rows) + 1)

    def onto(self, picture: Image.Image, corner: tuple[int, int]) -> None:
        left, top = corner
        for n, (name, figures) in enumerate((self.heading, *self.rows)):
            colour = MUTED if n == 0 else WHITE
            place = top + n * TEXT_LINE
            write(picture, (left, place), name, size=SMALL, colour=colour)
            write(picture, (left + LEGEND, place), figures, size=SMALL, colour=colour, anchor="ra")


@dataclass(frozen=True)
class Words:
    """Everything that is written in the column of the legend.

    Args:
        figure: The index.
        blocks: What stands below it.
    """

    figure: str
    blocks: tuple[Legend | _Table, ...]

    @property
    def height(self) -> int:
        """How much room they take, pixels."""
        return FIGURE_ROOM + sum(block.height + GAP for block in self.blocks)

    def onto(self, picture: Image.Image, corner: tuple[int, int]) -> None:
        """Write them, their upper left corner at ``corner``."""
        left, down = corner
        write(picture, (left, down), "Bone Scan Index", size=22)
        write(picture, (left, down + 30), self.figure, size=FIGURE)
        down += FIGURE_ROOM
        for block in self.blocks:
            block.onto(picture, (left, down))
            down += block.height + GAP


def words(result: ScanIndex) -> Words:
    """What stands beside the pictures of an index."""
    index = result.index
    views = [(view, area) for view, area in index.by_view.items()]
    regions = [(name.replace("_", " "), area) for name, area in index.by_region.items()]
    return Words(
        f"{index.per_cent:.2f} %",
        (
            _colours(result),
            _table("view", views),
            _table("region", regions),
            Legend((), tuple((line, AMBER) for line in _cautions(result.cautions))),
            Legend((), tuple((line, MUTED) for line in _wrapped(_WHAT))),
        ),
    )


def _colours(result: ScanIndex) -> Legend:
    index = result.index
    excluded = index.not_counted("kidney") + index.not_counted("bladder_region")
    not_counted = excluded.hot + index.not_counted("outside").hot

    def amount(pixels: int) -> str:
        if result.pixel_mm2 is None:
            return f"{pixels} px"
        return f"{pixels * result.pixel_mm2 / MM2_PER_CM2:.1f} cm²"

    return Legend(
        (
            ("Hot spots, counted", amount(index.skeleton.hot), COLOURS[HOT_COUNTED]),
            ("Skeleton, counted", amount(index.skeleton.pixels), COLOURS[SKELETON]),
            ("Hot, not counted", amount(not_counted), COLOURS[HOT_NOT_COUNTED]),
            (
                "Kidneys, bladder" if result.bladder_excluded else "Kidneys",
                amount(excluded.pixels),
                COLOURS[EXCLUDED],
            ),
        ),
        tuple((line, MUTED) for line in _not_counted(result)),
    )


def _not_counted(result: ScanIndex) -> Iterator[str]:
    for region, where in (
        ("kidney", "in kidneys"),
        ("bladder_region", "in the bladder region"),
        ("outside", "outside every region"),
    ):
        hot = result.index.not_counted(region).hot
        if hot:
            yield f"Not counted {where}: {hot} px"


def _table(title: str, areas: Sequence[tuple[str, Area]]) -> _Table:
    return _Table(
        (f"By {title}", "hot / all pixels   per cent"),
        tuple((name, f"{area.hot} / {area.pixels}   {_per_cent(area)}") for name, area in areas),
    )


def _per_cent(area: Area) -> str:
    return "-" if area.per_cent is None else f"{area.per_cent:.2f}"


def _cautions(cautions: Sequence[str]) -> Iterator[str]:
    for caution in cautions[:MOST_CAUTIONS]:
        yield from _wrapped(caution[0].upper() + caution[1:])
    if len(cautions) > MOST_CAUTIONS:
        yield f"and {len(cautions) - MOST_CAUTIONS} more: bsi.json"


def _wrapped(text: str) -> Iterator[str]:
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and text_width(longer, size=SMALL) > LEGEND:
            yield line
            longer = word
        line = longer
    yield line
