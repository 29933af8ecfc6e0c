"""The words of the page: which model, which labels, what image, what caution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image, ImageDraw

from osteoserve_client.writing.colours import Colour
from osteoserve_client.writing.preview.annotation import AMBER, MUTED, shortened, text_width, write
from osteoserve_client.writing.preview.display import DisplayVolume
from osteoserve_client.writing.preview.grey import PROJECTION_WINDOW, SLICE_WINDOW
from osteoserve_client.writing.preview.layout import LEGEND, MARGIN, worth_projecting
from osteoserve_preprocessing.geometry import Geometry
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

#: Labels that the legend has room for.
MOST_LABELS = 10

#: From here on the page says that the patient's axes are only nearly those of the image.
OBLIQUE_DEGREES = 5.0

#: Heights of a label's line, of the gap below the labels and of every other line, pixels.
LABEL_LINE, BREAK, TEXT_LINE = 32, 14, 25

Line = tuple[str, Colour]


@dataclass(frozen=True)
class Legend:
    """The words beside the pictures.

    Args:
        labels: Name, amount and colour of every label that is listed.
        lines: What stands below.
        heading: What stands above: of the names, and of the amounts.
    """

    labels: tuple[tuple[str, str, Colour], ...]
    lines: tuple[Line, ...]
    heading: tuple[str, str] | None = None

    @property
    def height(self) -> int:
        """How much room it takes, pixels."""
        rows = len(self.labels) + (self.heading is not None)
        return LABEL_LINE * rows + BREAK + TEXT_LINE * len(self.lines)

    def onto(self, picture: Image.Image, corner: tuple[int, int]) -> None:
        """Write it, its upper left corner at ``corner``."""
        left, top = corner
        draw = ImageDraw.Draw(picture)
        if self.heading is not None:
            title, amounts = self.heading
            write(picture, (left, top), title, size=19)
            write(picture, (left + LEGEND, top + 3), amounts, size=15, colour=MUTED, anchor="ra")
            top += LABEL_LINE
        for name, amount, colour in self.labels:
            draw.rectangle((left, top + 2, left + 18, top + 20), fill=colour)
            write(picture, (left + LEGEND, top), amount, size=19, anchor="ra")
            name = shortened(name, LEGEND - 45 - text_width(amount, size=19), size=19)
            write(picture, (left + 30, top), name, size=19)
            top += LABEL_LINE
        top += BREAK
        for text, colour in self.lines:
            write(picture, (left, top), shortened(text, LEGEND, size=16), size=16, colour=colour)
            top += TEXT_LINE


def write_header(picture: Image.Image, model: pb.Model) -> None:
    """Which model answered, and that it is no medical device."""
    title = ", ".join(filter(None, (f"{model.name} {model.version}", model.precision)))
    notice = "Automatic segmentation. Not a medical device."
    room = picture.width - 2 * MARGIN - text_width(notice, size=19) - 30
    write(picture, (MARGIN, MARGIN), shortened(title, room, size=26), size=26)
    place = (picture.width - MARGIN, MARGIN + 6)
    write(picture, place, notice, size=19, colour=AMBER, anchor="ra")


def legend(
    volume: DisplayVolume,
    geometry: Geometry,
    report: pb.SegmentReport,
    colours: Mapping[int, Colour],
    *,
    warnings: int,
) -> Legend:
    """Labels with their colours and volumes, then what the image is and what to heed."""
    labels = tuple(
        (
            measure.name,
            f"{measure.millilitres:.1f} ml" if measure.voxels else "no voxel",
            colours[measure.value],
        )
        for measure in report.labels[:MOST_LABELS]
    )
    more = len(report.labels) - len(labels)
    lines = ((f"and {more} more: volumes.csv", MUTED),) if more else ()
    return Legend(labels, (*lines, *_image(volume, geometry), *_cautions(volume, report, warnings)))


def _image(volume: DisplayVolume, geometry: Geometry) -> list[Line]:
    slices, rows, columns = geometry.shape
    dz, dy, dx = geometry.spacing
    lines = [
        f"{columns} x {rows} x {slices} voxels",
        f"of {dx:.2f} x {dy:.2f} x {dz:.2f} mm",
        "R, L: the patient's right and left",
        f"Slices: {SLICE_WINDOW[0]} to {SLICE_WINDOW[1]} HU",
    ]
    if worth_projecting(volume):
        lower, upper = PROJECTION_WINDOW
        lines.append(f"Maximum projections: {lower} to {upper} HU")
    return [(line, MUTED) for line in lines]


def _cautions(volume: DisplayVolume, report: pb.SegmentReport, warnings: int) -> list[Line]:
    lines = []
    if not worth_projecting(volume):
        lines.append("Too few slices for projections")
    if volume.obliquity >= OBLIQUE_DEGREES:
        lines.append(f"Oblique: up to {volume.obliquity:.0f}° off the patient's axes")
    if report.preprocessing.stretcher.caution:
        lines.append("Caution about the stretcher: report.json")
    if warnings:
        lines.append(f"{warnings} warning{'s' * (warnings > 1)}: report.json")
    return [(line, AMBER) for line in lines]
