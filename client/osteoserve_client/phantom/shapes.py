"""Signed distances (mm, negative inside) of the few shapes that anatomy is made of.

Distances of ellipses are first-order (I. Quilez, "ellipsoid - SDF"): exact on the surface and
right in direction, which is what coverage, shells and layers need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from osteoserve_client.phantom.canvas import Array, Box, DistanceField, SliceCanvas

#: (x, y, z, r), nominal mm; for sections of plates (x, y, r).
Point: TypeAlias = Sequence[float]
Path: TypeAlias = Sequence[Point]


def ellipse(x: Array, y: Array, a: float, b: float) -> Array:
    """Distance to the ellipse with half-axes a, b mm about the origin of x, y."""
    p = np.square(x / np.float32(a)) + np.square(y / np.float32(b))
    g = np.square(x / np.float32(a * a)) + np.square(y / np.float32(b * b))
    root = np.sqrt(p)
    distance: Array = root * (root - 1) / np.sqrt(g + np.float32(1e-9))
    return distance


def rounded_box(x: Array, y: Array, a: float, b: float) -> Array:
    """Distance to the superellipse of exponent 3: a torso's section, fuller than an ellipse."""
    u, v = np.abs(x) / np.float32(a), np.abs(y) / np.float32(b)
    f = np.cbrt(u * u * u + v * v * v)
    slope = np.sqrt(np.square(u * u / np.float32(a)) + np.square(v * v / np.float32(b)))
    distance: Array = (f - 1) * f * f / (slope + np.float32(1e-6))
    return distance


def turned(x: Array, y: Array, cx: float, cy: float, degrees: float) -> tuple[Array, Array]:
    """Coordinates about (cx, cy), turned so that the shape's own axis lies along x."""
    c, s = np.float32(np.cos(np.deg2rad(degrees))), np.float32(np.sin(np.deg2rad(degrees)))
    u, v = x - np.float32(cx), y - np.float32(cy)
    return c * u + s * v, -s * u + c * v


def ellipsoid(
    canvas: SliceCanvas, centre: Point, radii: Point, *, degrees: float = 0.0
) -> tuple[Box, Array] | None:
    """Box and distance of an ellipsoid's section at the canvas's height; None when it misses.

    Args:
        canvas: The slice.
        centre: (x, y, z), nominal mm.
        radii: (x, y, z) half-axes, nominal mm.
        degrees: Turn about z.
    """
    h = (canvas.z - centre[2]) / radii[2]
    if abs(h) >= 1:
        return None
    reach = max(radii[0], radii[1])
    box = canvas.box(centre[0] - reach, centre[0] + reach, centre[1] - reach, centre[1] + reach)
    if box is None:
        return None
    shrink = float(np.sqrt(1 - h * h))
    u, v = turned(canvas.x[box], canvas.y[box], centre[0], centre[1], degrees)
    return box, ellipse(u, v, radii[0] * shrink, radii[1] * shrink)


class Profile:
    """Numbers that change smoothly with height: sections of the body, curves of the spine.

    Args:
        keys: Rows of (z, value, value, ...), in order of z, nominal mm.
        smoothing_mm: Half-width over which the corners of the interpolation are rounded.
    """

    def __init__(self, keys: Sequence[Sequence[float]], smoothing_mm: float = 14.0) -> None:
        table = np.array(keys, dtype=np.float64)
        if (np.diff(table[:, 0]) <= 0).any():
            raise ValueError("the keys of a profile must grow in z")
        self.low, self.high = float(table[0, 0]), float(table[-1, 0])
        self._table, self._half = table, smoothing_mm

    def __call__(self, z: float) -> list[float]:
        """The values at height z; constant beyond the first and last key."""
        if self._half == 0:
            return [float(np.interp(z, self._table[:, 0], c)) for c in self._table[:, 1:].T]
        offsets = np.array([-1.0, -0.5, 0.0, 0.5, 1.0]) * self._half
        weights = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
        return [
            float(weights @ np.interp(z + offsets, self._table[:, 0], column))
            for column in self._table[:, 1:].T
        ]


class Capsules:
    """Round-ended rods in 3-D: ribs, processes, rami, shafts, vessels.

    Args:
        rods: Rows of (x0, y0, z0, r0, x1, y1, z1, r1), nominal mm; r is the radius at each end.
        stretch: Radius along z over radius in the plane: above 1 for laminae and ribs, which
            are taller than thick.
    """

    def __init__(self, rods: npt.ArrayLike, *, stretch: float | Sequence[float] = 1.0) -> None:
        self._rods = np.array(rods, dtype=np.float64).reshape(-1, 8)
        self._stretch = np.broadcast_to(np.asarray(stretch, float), (len(self._rods),))
        reach = np.maximum(self._rods[:, 3], self._rods[:, 7]) + 1.0
        self._low = np.minimum(self._rods[:, 2], self._rods[:, 6]) - reach * self._stretch
        self._high = np.maximum(self._rods[:, 2], self._rods[:, 6]) + reach * self._stretch

    def unite(self, canvas: SliceCanvas, field: DistanceField) -> None:
        """Add every rod that crosses the slice to the field."""
        for n in np.flatnonzero((self._low <= canvas.z) & (canvas.z <= self._high)):
            self._unite_one(canvas, field, self._rods[n], float(self._stretch[n]))

    def _unite_one(
        self,
        canvas: SliceCanvas,
        field: DistanceField,
        rod: npt.NDArray[np.float64],
        stretch: float,
    ) -> None:
        x0, y0, z0, r0, x1, y1, z1, r1 = (float(v) for v in rod)
        vx, vy, vz, pz = x1 - x0, y1 - y0, (z1 - z0) / stretch, (canvas.z - z0) / stretch
        reach = max(r0, r1) + 2.0
        low, high = _part_within(pz, vz, reach)
        ax, bx, ay, by = x0 + low * vx, x0 + high * vx, y0 + low * vy, y0 + high * vy
        box = canvas.box(
            min(ax, bx) - reach, max(ax, bx) + reach, min(ay, by) - reach, max(ay, by) + reach
        )
        if box is None:
            return
        f = np.float32
        px, py = canvas.x[box] - f(x0), canvas.y[box] - f(y0)
        length = vx * vx + vy * vy + vz * vz + 1e-9
        along = np.clip((px * f(vx / length) + py * f(vy / length)) + f(pz * vz / length), 0, 1)
        dx, dy, dz = px - along * f(vx), py - along * f(vy), f(pz) - along * f(vz)
        distance = np.sqrt(dx * dx + dy * dy + dz * dz) - (f(r0) + along * f(r1 - r0))
        field.unite(box, distance)


def _part_within(pz: float, vz: float, reach: float) -> tuple[float, float]:
    """The part of a rod, 0..1 along it, that is within reach of the slice."""
    if abs(vz) < 1e-6:
        return 0.0, 1.0
    a, b = sorted(((pz - reach) / vz, (pz + reach) / vz))
    return min(1.0, max(0.0, a)), max(0.0, min(1.0, b))


def chain(points: Iterable[Point]) -> list[list[float]]:
    """Rods joining consecutive points (x, y, z, r)."""
    rows = [list(map(float, p)) for p in points]
    return [[*a, *b] for a, b in pairwise(rows)]


def mirrored(points: Iterable[Point]) -> list[list[float]]:
    """The same points (x, y, ...) on the other side of the body."""
    return [[-float(p[0]), *map(float, p[1:])] for p in points]


def smooth_path(points: Iterable[Point], pieces: int = 5) -> list[list[float]]:
    """A Catmull-Rom curve through points (x, y, z, r), `pieces` steps between neighbours."""
    p = np.array([list(map(float, q)) for q in points])
    padded = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    t = np.linspace(0, 1, pieces, endpoint=False)[:, None]
    parts = [
        0.5
        * (
            2 * b
            + (c - a) * t
            + (2 * a - 5 * b + 4 * c - d) * t**2
            + (3 * b - a - 3 * c + d) * t**3
        )
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return [list(map(float, row)) for row in np.vstack([*parts, p[-1:]])]


class Loft:
    """A plate whose section is a curve that changes with height: iliac wing, scapula.

    Args:
        sections: (z, points) in order of z; every section has equally many points (x, y, r)
            with r half the plate's thickness, nominal mm.
        blend_mm: How far the plate tapers beyond the first and last section.
    """

    def __init__(
        self, sections: Sequence[tuple[float, Sequence[Point]]], *, blend_mm: float = 4.0
    ) -> None:
        self._z = np.array([z for z, _ in sections], dtype=np.float64)
        self._points = np.array([points for _, points in sections], dtype=np.float64)
        self._blend = blend_mm

    def unite(self, canvas: SliceCanvas, field: DistanceField) -> None:
        """Add the plate's section at the canvas's height to the field."""
        beyond = max(self._z[0] - canvas.z, canvas.z - self._z[-1], 0.0)
        if beyond >= self._blend:
            return
        points = self.section(canvas.z)
        points[:, 2] *= np.sqrt(max(0.0, 1 - (beyond / self._blend) ** 2))
        rows = [[x, y, canvas.z, r] for x, y, r in points]
        Capsules(chain(smooth_path(rows, 3))).unite(canvas, field)

    def section(self, z: float) -> npt.NDArray[np.float64]:
        """(N, 3) x, y, r of the curve at height z."""
        n = int(np.clip(np.searchsorted(self._z, z) - 1, 0, len(self._z) - 2))
        t = float(np.clip((z - self._z[n]) / (self._z[n + 1] - self._z[n]), 0, 1))
        between: npt.NDArray[np.float64] = (1 - t) * self._points[n] + t * self._points[n + 1]
        return between
