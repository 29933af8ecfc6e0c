"""Bland and Altman's plots: the difference of two readings against their mean, label by label."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

from osteoserve_client.evaluation.axes import Axis
from osteoserve_client.evaluation.bland_altman import Interval
from osteoserve_client.evaluation.evaluation import Agreement, Evaluation
from osteoserve_client.writing.colours import Colour
from osteoserve_client.writing.preview.annotation import Anchor, font, printable, shortened

#: Fewer pairs have no limits of agreement.
LEAST_PAIRS: Final = 2
#: Drawn larger and scaled down, which smooths lines and points.
_SCALE: Final = 3
_WIDTH, _HEIGHT, _HEADER, _FOOTER = 620, 430, 58, 44
#: Of a panel: left, top, right, bottom; the limits' values stand at the right.
_MARGINS: Final = (84, 46, 108, 58)

_PAPER: Final[Colour] = (255, 255, 255)
_INK: Final[Colour] = (30, 34, 40)
_MUTED: Final[Colour] = (105, 110, 118)
_GRID: Final[Colour] = (228, 231, 235)
_POINT: Final[Colour] = (0, 90, 160)
_BIAS: Final[Colour] = (190, 60, 20)
_LIMIT: Final[Colour] = (70, 75, 82)


def plotted_labels(evaluation: Evaluation) -> tuple[str, ...]:
    """The labels that enough studies have."""
    found = evaluation.agreement.items()
    return tuple(name for name, each in found if len(each.reference) >= LEAST_PAIRS)


def draw_bland_altman(evaluation: Evaluation) -> Image.Image:
    """Draw one panel for each of `plotted_labels`, of which there must be one.

    A panel shows every study as a point, the bias as a line, the 95 % limits of agreement as
    dashed lines, and the 95 % confidence interval of each of the three as a bar at the right.
    """
    labels = plotted_labels(evaluation)
    across = 1 if len(labels) == 1 else min(6, math.ceil(math.sqrt(len(labels))))
    down = math.ceil(len(labels) / across)
    size = (max(across * _WIDTH, 700), _HEADER + down * _HEIGHT + _FOOTER)
    picture = Image.new("RGB", (size[0] * _SCALE, size[1] * _SCALE), _PAPER)
    pen = _Pen(picture)
    quantity = "volume" if not evaluation.planar else "area"
    pen.text((24, 20), f"Bland-Altman: {quantity} of each label, prediction and reference", 22)
    for n, label in enumerate(labels):
        corner = (n % across * _WIDTH, _HEADER + n // across * _HEIGHT)
        _panel(pen, corner, label, evaluation.agreement[label], f"{quantity}, {evaluation.unit}")
    note = "Difference = prediction - reference; bars: 95 % confidence intervals; points: studies."
    pen.text((24, size[1] - 30), note, 15, _MUTED)
    return picture.resize(size, Image.Resampling.LANCZOS)


def write_bland_altman(path: Path, evaluation: Evaluation) -> None:
    """Write ``bland_altman.png``; see `draw_bland_altman`.

    Raises:
        OSError: The file could not be written.
    """
    draw_bland_altman(evaluation).save(path, format="PNG", optimize=True)


class _Pen:
    """Draws in pixels of the finished picture."""

    def __init__(self, picture: Image.Image) -> None:
        self._picture = picture
        self._draw = ImageDraw.Draw(picture)

    def line(
        self, ends: tuple[float, float, float, float], colour: Colour, width: float = 1
    ) -> None:
        self._draw.line([each * _SCALE for each in ends], colour, round(width * _SCALE))

    def dashes(self, left: float, right: float, y: float, colour: Colour) -> None:
        x = left
        while x < right:
            self.line((x, y, min(x + 9, right), y), colour, 1.6)
            x += 15

    def point(self, x: float, y: float, radius: float = 4.5) -> None:
        ends = [each * _SCALE for each in (x - radius, y - radius, x + radius, y + radius)]
        self._draw.ellipse(ends, fill=_POINT, outline=_PAPER, width=_SCALE)

    def text(
        self,
        place: tuple[float, float],
        text: str,
        size: int = 15,
        colour: Colour = _INK,
        anchor: Anchor = "la",
    ) -> None:
        at = (place[0] * _SCALE, place[1] * _SCALE)
        self._draw.text(at, printable(text), colour, font(size * _SCALE), anchor=anchor)

    def upright(self, place: tuple[float, float], text: str, size: int = 15) -> None:
        """Text that runs upwards, centred on ``place``."""
        letters = font(size * _SCALE)
        width, height = math.ceil(letters.getlength(printable(text))), round(1.5 * size * _SCALE)
        strip = Image.new("RGB", (width, height), _PAPER)
        middle = (width / 2, height / 2)
        ImageDraw.Draw(strip).text(middle, printable(text), _MUTED, letters, anchor="mm")
        turned = strip.transpose(Image.Transpose.ROTATE_90)
        x, y = (round(each * _SCALE) for each in place)
        self._picture.paste(turned, (x - turned.width // 2, y - turned.height // 2))


def _panel(
    pen: _Pen, corner: tuple[float, float], label: str, agreement: Agreement, quantity: str
) -> None:
    found = agreement.absolute
    pairs = list(zip(agreement.reference, agreement.prediction, strict=True))
    means = [(one + other) / 2 for one, other in pairs]
    differences = [other - one for one, other in pairs]
    left, top = corner[0] + _MARGINS[0], corner[1] + _MARGINS[1]
    right, bottom = corner[0] + _WIDTH - _MARGINS[2], corner[1] + _HEIGHT - _MARGINS[3]
    across = Axis.over(means, left, right)
    extremes = (found.low_interval.low, found.high_interval.high, 0.0)
    up = Axis.over([*differences, *extremes], bottom, top)
    lines = (
        ("+1.96 SD", found.limits.high, found.high_interval, _LIMIT),
        ("Bias", found.bias, found.bias_interval, _BIAS),
        ("-1.96 SD", found.limits.low, found.low_interval, _LIMIT),
    )
    _ticks(pen, (left, top, right, bottom), across, up)
    for n, (name, value, interval, colour) in enumerate(lines):
        y = up.pixel(value)
        if name == "Bias":
            pen.line((left, y, right, y), colour, 2)
        else:
            pen.dashes(left, right, y, colour)
        # Side by side, for of few studies the intervals overlap.
        _bar(pen, right - 24 + 10 * n, up, interval, colour)
    for x, y in zip(means, differences, strict=True):
        pen.point(across.pixel(x), up.pixel(y))
    _values(pen, right + 8, up, [(name, value, colour) for name, value, _, colour in lines])
    middle, centre = (left + right) / 2, (top + bottom) / 2
    pen.text(
        (left, top - 12), f"{shortened(label, 330, size=18)}  (n = {len(pairs)})", 18, anchor="ld"
    )
    pen.text((middle, bottom + 34), f"Mean {quantity}", 15, _MUTED, "ma")
    pen.upright((corner[0] + 22, centre), f"Difference, {quantity.split(', ')[1]}")


def _bar(pen: _Pen, x: float, up: Axis, interval: Interval, colour: Colour) -> None:
    low, high = up.pixel(interval.low), up.pixel(interval.high)
    pen.line((x, low, x, high), colour, 1.3)
    for y in (low, high):
        pen.line((x - 3, y, x + 3, y), colour, 1.3)


def _ticks(pen: _Pen, frame: tuple[float, float, float, float], across: Axis, up: Axis) -> None:
    left, top, right, bottom = frame
    for value, text in up.ticks():
        y = up.pixel(value)
        pen.line((left, y, right, y), _MUTED if value == 0 else _GRID)
        pen.line((left - 5, y, left, y), _INK)
        pen.text((left - 9, y), text, 14, anchor="rm")
    for value, text in across.ticks():
        x = across.pixel(value)
        pen.line((x, bottom, x, bottom + 5), _INK)
        pen.text((x, bottom + 10), text, 14, anchor="ma")
    pen.line((left, bottom, right, bottom), _INK, 1.3)
    pen.line((left, top, left, bottom), _INK, 1.3)


def _values(pen: _Pen, x: float, up: Axis, lines: list[tuple[str, float, Colour]]) -> None:
    """Name and value of each line at its right, moved apart where they would overlap."""
    decimals = len(up.ticks()[0][1].partition(".")[2]) + 1
    apart, wanted = 36.0, [up.pixel(value) for _, value, _ in lines]
    places = [min(wanted[0], wanted[1] - apart), wanted[1], max(wanted[2], wanted[1] + apart)]
    for (name, value, colour), y in zip(lines, places, strict=True):
        pen.text((x, y - 9), name, 14, colour, "lm")
        pen.text((x, y + 8), f"{value:.{decimals}f}", 15, colour, "lm")
