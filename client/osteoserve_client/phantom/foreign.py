"""Small dense things that are no bone: stones, clips, calcified nodes, a catheter, a tube."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.canvas import SliceCanvas
from osteoserve_client.phantom.parameters import PhantomParameters
from osteoserve_client.phantom.shapes import Capsules, chain, ellipsoid, smooth_path

# Where small calcifications are found: x, y, z of the middle and how far about it, mm.
_PLACES = [
    ((0, -40, 1040), (70, 25, 80)),  # mesentery
    ((0, 10, 890), (35, 30, 25)),  # phleboliths, prostate
    ((-62, -20, 1120), (12, 12, 12)),  # gallstones
    ((56, 48, 1120), (8, 8, 30)),  # kidney stones
    ((0, 0, 1330), (40, 30, 50)),  # nodes of the mediastinum
]


class ForeignBodies:
    """Dense objects inside one patient."""

    def __init__(self, parameters: PhantomParameters) -> None:
        rng = np.random.default_rng([parameters.seed, 79])
        self._spots = [_spot(rng) for _ in range(parameters.calcifications)]
        self._tubes: list[tuple[Capsules, float, float]] = []
        if rng.random() < 0.3:
            catheter = [(-60, -60, 1440, 1.3), (-34, -24, 1436, 1.3), (-24, -18, 1390, 1.3),
                        (-25, -16, 1330, 1.3)]  # fmt: skip
            self._tubes.append((Capsules(chain(smooth_path(catheter))), 900.0, 0.0))
        if rng.random() < 0.2:
            tube = [(0, -26, 1540, 2.6), (2, -4, 1480, 2.6), (8, 14, 1330, 2.6), (9, 8, 1230, 2.6),
                    (44, -20, 1190, 2.6)]  # fmt: skip
            self._tubes.append((Capsules(chain(smooth_path(tube))), 350.0, 1.2))

    def paint(self, canvas: SliceCanvas) -> None:
        """Paint what crosses the slice."""
        for centre, radii, turn, hu in self._spots:
            found = ellipsoid(canvas, centre, radii, degrees=turn)
            if found is not None:
                canvas.paint(*found, hu)
        for tube, hu, wall in self._tubes:
            field = canvas.field()
            tube.unite(canvas, field)
            taken = field.take()
            if taken is not None:
                canvas.paint(*taken, hu)
                if wall:
                    canvas.paint(taken[0], taken[1] + np.float32(wall), -700.0)


def _spot(
    rng: np.random.Generator,
) -> tuple[tuple[float, float, float], tuple[float, float, float], float, float]:
    """Centre, half-axes, turn and HU of one calcification or metal clip."""
    middle, about = _PLACES[int(rng.integers(0, len(_PLACES)))]
    x, y, z = (float(m + rng.uniform(-1, 1) * a) for m, a in zip(middle, about, strict=True))
    side = float(rng.choice([-1.0, 1.0]))
    radii = tuple(float(r) for r in rng.uniform(1.0, 4.5, 3))
    hu = float(rng.choice([220, 400, 800, 2500]))
    return (side * x, y, z), (radii[0], radii[1], radii[2]), float(rng.uniform(0, 180)), hu
