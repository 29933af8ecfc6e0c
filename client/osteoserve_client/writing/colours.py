"""The colour of every label, the same in the picture and in the segmentation object."""

from __future__ import annotations

from collections.abc import Iterable

Colour = tuple[int, int, int]

#: Told apart by the colour-blind and visible on grey: Okabe and Ito, "Color Universal Design"
#: (2008), lightened where it would sink into a dark background.
PALETTE: tuple[Colour, ...] = (
    (255, 166, 0),
    (86, 190, 240),
    (0, 190, 140),
    (240, 228, 66),
    (235, 110, 50),
    (220, 135, 185),
    (120, 140, 255),
    (190, 230, 120),
    (255, 120, 120),
    (170, 220, 220),
)


def label_colours(values: Iterable[int]) -> dict[int, Colour]:
    """RGB, 0..255 each, of every label value, by its place among them; repeats after ten."""
    return {value: PALETTE[n % len(PALETTE)] for n, value in enumerate(sorted(values))}
