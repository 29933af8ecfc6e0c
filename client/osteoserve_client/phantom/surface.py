"""What lies on the skin: leads, buttons, tubes, folds of cloth. Bright, thin, and not bone."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.canvas import SliceCanvas
from osteoserve_client.phantom.parameters import PhantomParameters


class SurfaceObjects:
    """Lines along the body that follow the skin at a constant height above it."""

    def __init__(self, parameters: PhantomParameters) -> None:
        rng = np.random.default_rng([parameters.seed, 59])
        n = parameters.external_lines
        self._front = 1.0 if parameters.prone else -1.0
        self._x = rng.uniform(-150, 150, n)
        self._drift = rng.normal(0, 0.25, n)
        self._low = rng.uniform(760, 1350, n)
        self._long = rng.uniform(30, 500, n)
        self._radius = rng.uniform(0.8, 2.6, n)
        self._hu = rng.choice([150.0, 600.0, 1500.0, 2800.0], n)
        self._cloth = bool(rng.random() < 0.5)
        self._lift = float(rng.uniform(1, 9))

    def paint(self, canvas: SliceCanvas) -> None:
        """Paint on the air around the body."""
        near = np.abs(canvas.outline) < 12
        rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
        if len(rows) == 0:
            return
        box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        outline, x = canvas.outline[box], canvas.x[box]
        front = self._front * canvas.y[box] > -30
        if self._cloth:
            folds = np.abs(outline - np.float32(self._lift) - 2 * canvas.strands[box]) - np.float32(
                0.3
            )
            canvas.paint(box, np.where(front, folds, 9), -420.0)
        for middle, drift, low, long, radius, hu in zip(
            self._x, self._drift, self._low, self._long, self._radius, self._hu, strict=True
        ):
            if not low <= canvas.z <= low + long:
                continue
            at = middle + drift * (canvas.z - low)
            distance = np.hypot(x - np.float32(at), outline - np.float32(radius + 0.5))
            canvas.paint(box, np.where(front, distance - np.float32(radius), 9), hu)
