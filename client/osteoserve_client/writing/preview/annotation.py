"""Text, orientation letters, levels and scale bars."""

from __future__ import annotations

import unicodedata
from functools import cache
from math import ceil
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from osteoserve_client.writing.colours import Colour

WHITE: Colour = (240, 240, 240)
BLACK: Colour = (0, 0, 0)
MUTED: Colour = (165, 168, 172)
AMBER: Colour = (255, 190, 60)
LEVEL: Colour = (120, 220, 255)

#: Lengths that a scale bar may have, mm.
BARS = (200, 100, 50, 20, 10, 5, 2, 1)

#: A panel this low has no room above its scale bar, pixels.
FLAT = 170

Anchor = Literal["la", "ra", "lm", "rm", "mm", "ma", "md", "ld", "rd"]


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The font that comes with Pillow, in pixels."""
    loaded = ImageFont.load_default(size)
    if not isinstance(loaded, ImageFont.FreeTypeFont):  # pragma: no cover
        raise RuntimeError("this Pillow was built without FreeType, which text in pictures needs")
    return loaded


def printable(text: str) -> str:
    """``text`` in the letters that the font has: accents dropped, others as question marks."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return bare.encode("latin-1", "replace").decode("latin-1")


def write(
    picture: Image.Image,
    place: tuple[float, float],
    text: str,
    *,
    size: int = 17,
    colour: Colour = WHITE,
    rim: Colour = BLACK,
    anchor: Anchor = "la",
) -> None:
    """Write text with a rim, by default a dark one: legible on bone as well as on air."""
    ImageDraw.Draw(picture).text(
        place,
        printable(text),
        font=font(size),
        fill=colour,
        anchor=anchor,
        stroke_width=2,
        stroke_fill=rim,
    )


def text_width(text: str, *, size: int = 17) -> int:
    """Width of ``text`` as it is written, pixels."""
    return ceil(font(size).getlength(printable(text)))


def shortened(text: str, width: int, *, size: int = 17) -> str:
    """``text``, cut with an ellipsis where it is wider than ``width`` pixels."""
    if text_width(text, size=size) <= width:
        return text
    while text and text_width(text + "...", size=size) > width:
        text = text[:-1]
    return text + "..."


def orientation_letters(
    picture: Image.Image, *, left: str, right: str, top: str, bottom: str
) -> None:
    """Write towards which side of the patient each edge of a panel lies."""
    width, height = picture.size
    middle, centre = height / 2, width / 2
    write(picture, (7, middle), left, size=20, anchor="lm")
    write(picture, (width - 7, middle), right, size=20, anchor="rm")
    write(picture, (centre, 5), top, size=20, anchor="ma")
    write(picture, (centre, height - 5), bottom, size=20, anchor="md")


def bar_length(width_mm: float) -> int:
    """The longest of `BARS` that is no longer than a quarter of a panel's width, mm."""
    return next((mm for mm in BARS if mm <= width_mm / 4), BARS[-1])


def scale_bar(
    picture: Image.Image,
    pixels_per_mm: float,
    length: int,
    *,
    colour: Colour = WHITE,
    rim: Colour = BLACK,
) -> None:
    """Draw a bar of ``length`` mm in the lower left corner, and say how long it is."""
    # In a flat panel the letter at the left edge stands where the bar would.
    x = 12 if picture.height > FLAT else 48
    y, end = picture.height - 14, x + round(length * pixels_per_mm)
    draw = ImageDraw.Draw(picture)
    for ink, thick in ((rim, 5), (colour, 2)):
        draw.line((x, y, end, y), fill=ink, width=thick)
        draw.line((x, y - 5, x, y + 5), fill=ink, width=thick)
        draw.line((end, y - 5, end, y + 5), fill=ink, width=thick)
    write(picture, (x, y - 8), f"{length} mm", size=15, colour=colour, rim=rim, anchor="ld")


def level_lines(picture: Image.Image, levels: dict[str, float]) -> None:
    """Mark at which height of a projection each slice lies.

    Args:
        picture: The projection's panel.
        levels: By the slice's letter, its height in pixels from the top.
    """
    overlay = Image.new("L", picture.size, 0)
    draw = ImageDraw.Draw(overlay)
    for y in levels.values():
        draw.line((0, y, picture.width, y), fill=110, width=1)
    picture.paste(LEVEL, mask=overlay)
