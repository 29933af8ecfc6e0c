"""Larynx, trachea, main bronchi, oesophagus and thyroid: the neck's and mediastinum's insides."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.canvas import SliceCanvas
from osteoserve_client.phantom.parameters import PhantomParameters
from osteoserve_client.phantom.shapes import Capsules, chain, ellipsoid, mirrored, smooth_path

_TRACHEA = [(0, -28, 1502, 8), (0, -22, 1470, 8), (0, -8, 1420, 8.5), (2, 8, 1352, 8.5)]
_LEFT_BRONCHUS = [(2, 8, 1352, 7), (24, 14, 1334, 6), (44, 20, 1316, 4.5), (54, 26, 1290, 3)]
_RIGHT_BRONCHUS = [(2, 8, 1352, 7), (-20, 12, 1330, 6.5), (-40, 18, 1306, 4.5), (-52, 24, 1280, 3)]
_THYROID_CARTILAGE = [(0, -42, 1490, 2.2), (14, -32, 1492, 2.0), (19, -18, 1494, 1.8)]
AIR_HU, WALL_HU = -1000.0, 45.0


class Airways:
    """Tubes of the neck and the mediastinum of one patient."""

    def __init__(self, parameters: PhantomParameters) -> None:
        rng = np.random.default_rng([parameters.seed, 73])
        paths = (_TRACHEA, _LEFT_BRONCHUS, _RIGHT_BRONCHUS)
        self._lumen = Capsules([rod for path in paths for rod in chain(smooth_path(path, 3))])
        sides = smooth_path(_THYROID_CARTILAGE, 3)
        # Cartilage of the larynx calcifies with age; it is not part of the skeleton's label.
        self._cartilage_hu = float(rng.uniform(80, 330))
        self._cartilage = Capsules(chain(sides) + chain(mirrored(sides)), stretch=4.0)
        self._thyroid_hu = float(rng.uniform(80, 120)) + 0.4 * parameters.contrast_hu
        self._gullet_air = bool(rng.random() < 0.5)

    def paint(self, canvas: SliceCanvas) -> None:
        """Paint the tubes that cross the slice."""
        if not 1200 <= canvas.z <= 1520:
            return
        self._paint_gullet(canvas)
        for s in (-1.0, 1.0):
            lobe = ellipsoid(canvas, (s * 15, -16, 1458), (9, 13, 24))
            if lobe is not None:
                canvas.paint(*lobe, self._thyroid_hu)
        for tube, wall, hu in (
            (self._cartilage, 0.0, self._cartilage_hu),
            (self._lumen, 1.8, AIR_HU),
        ):
            field = canvas.field()
            tube.unite(canvas, field)
            taken = field.take()
            if taken is not None:
                canvas.paint(taken[0], taken[1] - np.float32(wall), WALL_HU)
                canvas.paint(*taken, hu)

    def _paint_gullet(self, canvas: SliceCanvas) -> None:
        y = float(np.interp(canvas.z, [1200, 1300, 1400, 1480], [8, 18, 12, -6]))
        gullet = ellipsoid(canvas, (8, y, canvas.z), (9, 6, 10))
        if gullet is not None:
            canvas.paint(*gullet, 45.0)
            if self._gullet_air:
                canvas.paint(gullet[0], gullet[1] + 3, -600.0)
