"""Bowel: small loops wound through the cavity, the frame of the colon, gas above the content."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.canvas import Array, Box, SliceCanvas
from osteoserve_client.phantom.shapes import Capsules, Path, chain, smooth_path

AIR_HU, WALL_HU = -980.0, 55.0


class Bowel:
    """The bowel of one patient.

    Args:
        rng: Draws course, width and content.
        oral_hu: HU of loops filled with contrast that was drunk; 0: none.
        up: The direction away from the table along y, to which gas rises: -1 supine, 1 prone.
    """

    def __init__(self, rng: np.random.Generator, oral_hu: float, up: float) -> None:
        self._up = up
        self._loops = [
            (
                _tube(_small_loop(rng)),
                float(rng.choice([20.0, 30.0, oral_hu or 25.0, -120.0])),
                float(rng.uniform(-110, 0)),
            )
            for _ in range(16)
        ]
        self._loops += [
            (
                _tube(path),
                float(rng.choice([30.0, 60.0, 1.4 * oral_hu + 30])),
                float(rng.uniform(-95, 10)),
            )
            for path in _colon(float(rng.uniform(15, 24)))
        ]

    def paint(self, canvas: SliceCanvas) -> None:
        """Paint the loops that cross the slice, inside the wall of the belly."""
        for tube, content, level in self._loops:
            field = canvas.field()
            tube.unite(canvas, field)
            taken = field.take()
            if taken is not None:
                box, distance = taken
                distance = distance + 1.5 * canvas.strands[box]
                distance = np.maximum(distance, canvas.peritoneum[box] + 1)
                self.fill(canvas, box, distance, content=content, level=level)

    def fill(
        self, canvas: SliceCanvas, box: Box, distance: Array, *, content: float, level: float
    ) -> None:
        """Paint a hollow organ: wall, lumpy content, and gas above the level.

        Args:
            canvas: The slice.
            box: Where.
            distance: Signed distance to the organ's surface in that box, mm.
            content: HU of what it holds.
            level: y of the fluid's surface when supine, nominal mm.
        """
        lumps = (0.12 * abs(content) + 14) * canvas.strands[box]
        canvas.paint(box, distance, WALL_HU)
        canvas.paint(box, distance + np.float32(2.2), content + lumps)
        above = -self._up * (canvas.y[box] - np.float32(-self._up * level))
        canvas.paint(box, np.maximum(distance + np.float32(2.4), above), AIR_HU)


def _tube(path: Path) -> Capsules:
    return Capsules(chain(smooth_path(path, 3)))


def _small_loop(rng: np.random.Generator) -> Path:
    """A random walk that stays in the cavity."""
    at = np.array([rng.uniform(-75, 75), rng.uniform(-60, 5), rng.uniform(930, 1120)])
    path = []
    for _ in range(10):
        path.append([*map(float, at), float(rng.uniform(9, 14))])
        at = np.clip(at + rng.normal(0, 24, 3), [-85, -66, 915], [85, 8, 1130])
    return path


def _colon(wide: float) -> list[Path]:
    right: Path = [(-88, 2, 1000, wide + 3), (-96, 14, 1060, wide), (-92, 0, 1120, wide)]
    across: Path = [
        (-92, -20, 1120, wide),
        (-50, -58, 1090, wide),
        (0, -66, 1075, wide - 2),
        (50, -58, 1095, wide - 3),
        (94, 0, 1150, wide - 3),
    ]
    left: Path = [
        (98, 12, 1140, wide - 4),
        (100, 16, 1050, wide - 5),
        (88, 0, 985, wide - 5),
        (40, -20, 955, wide - 5),
        (10, 20, 940, wide - 5),
    ]
    return [right, across, left]
