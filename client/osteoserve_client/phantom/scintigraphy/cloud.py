"""Activity as clouds of points: how bones, organs and foci are filled before they are seen.

A gamma camera adds up activity along lines, so a body need not be cut into voxels: points that
fill it evenly, each with its activity, are posed in 3-D and then projected. Points follow a
low-discrepancy set (Hammersley's, over the additive recurrence of M. Roberts 2018), since random
ones would add a noise of their own to the camera's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from osteoserve_client.phantom.shapes import Loft, Path, Point, smooth_path

Array: TypeAlias = npt.NDArray[np.float64]

#: Points for every cubic millimetre of bone; soft tissue takes a small share of it.
POINTS_PER_MM3 = 0.04
#: Steps of the two-dimensional sequence: powers of the plastic number's inverse.
_STEPS = 1.32471795724474602596 ** -np.array([1.0, 2.0])


class Part(Enum):
    """Piece of the body: what is posed, and what is labelled, as one."""

    SKULL = "skull"
    SPINE = "spine"
    RIBS = "ribs"
    CARTILAGE = "cartilage"
    STERNUM = "sternum"
    GIRDLE = "girdle"
    PELVIS = "pelvis"
    HUMERUS = "humerus"
    ARM = "arm"
    FEMUR = "femur"
    LEG = "leg"
    HEAD = "head"
    TRUNK = "trunk"
    KIDNEY = "kidney"


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points of one piece of the body.

    Args:
        part: Which piece.
        side: "left", "right", or "" in the middle.
        points: (N, 3) float64 (x, y, z), nominal mm: to the left, to the back, up.
        activity: (N,) float64, concentration times mm3.
        spread_mm: Standard deviation of the blob that each point stands for: soft tissue has
            few points for its volume.
    """

    part: Part
    side: str
    points: Array
    activity: Array
    spread_mm: float = 0.0

    def scaled(self, factor: float | Array) -> Cloud:
        """The same points with their activity multiplied."""
        return replace(self, activity=self.activity * factor)


Filling: TypeAlias = tuple[Array, Array]


def even(counts: npt.NDArray[np.int64]) -> Array:
    """(N, 3) in 0..1: for each count, that many points that fill the unit cube evenly."""
    ends = np.cumsum(counts)
    n = np.arange(ends[-1])
    own = n - np.repeat(ends - counts, counts)
    first = (own + 0.5) / np.repeat(counts, counts)
    return np.column_stack([first, np.mod(0.5 + (n[:, None] + 1) * _STEPS, 1.0)])


def even_in_one(count: int) -> Array:
    """(count, 3) points that fill the unit cube evenly."""
    return even(np.array([count]))


def join(fillings: Sequence[Filling]) -> Filling:
    """Several fillings as one."""
    return np.concatenate([p for p, _ in fillings]), np.concatenate([a for _, a in fillings])


def fill_rods(
    rods: npt.ArrayLike,
    uptake: float,
    *,
    stretch: float = 1.0,
    hollow: float = 0.0,
    density: float = 1.0,
) -> Filling:
    """Fill tapering rods.

    Args:
        rods: Rows of (x0, y0, z0, r0, x1, y1, z1, r1), nominal mm.
        uptake: Concentration.
        stretch: Radius along z over radius in the plane, for ribs, which are taller than thick.
        hollow: Radius of the marrow, which takes up nothing, over that of the rod.
        density: Points relative to bone.
    """
    table = np.asarray(rods, dtype=np.float64).reshape(-1, 8)
    start, end = table[:, 0:3], table[:, 4:7]
    along = end - start
    length = np.linalg.norm(along, axis=1) + 1e-9
    radius = (table[:, 3] + table[:, 7]) / 2
    volume = np.pi * radius**2 * length * stretch * (1 - hollow**2)
    counts = np.maximum(4, np.ceil(volume * POINTS_PER_MM3 * density)).astype(np.int64)
    across, beside = _normals(along / length[:, None])
    which = np.repeat(np.arange(len(table)), counts)
    u = even(counts)
    t = u[:, :1]
    reach = np.sqrt(hollow**2 + (1 - hollow**2) * u[:, 1])
    reach = reach * ((1 - t[:, 0]) * table[which, 3] + t[:, 0] * table[which, 7])
    angle = 2 * np.pi * u[:, 2]
    aside = (reach * np.cos(angle))[:, None] * across[which]
    aside += (reach * np.sin(angle))[:, None] * beside[which]
    aside[:, 2] *= stretch
    return start[which] + t * along[which] + aside, (uptake * volume / counts)[which]


def _normals(direction: Array) -> tuple[Array, Array]:
    """Two unit vectors at right angles to each direction and to each other."""
    steep = np.abs(direction[:, 2:]) > 0.9
    helper = np.where(steep, np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    across = np.cross(direction, helper)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    return across, np.cross(direction, across)


def fill_ellipsoid(
    centre: Point, radii: Point, uptake: float, *, hollow: float = 0.0, count: int | None = None
) -> Filling:
    """Fill an ellipsoid.

    Args:
        centre: (x, y, z), nominal mm.
        radii: Half-axes, nominal mm.
        uptake: Concentration.
        hollow: Size of the empty inside over that of the whole: a shell.
        count: How many points; None for as many as bone has.
    """
    volume = 4 / 3 * np.pi * float(np.prod(radii)) * (1 - hollow**3)
    number = max(40, int(volume * POINTS_PER_MM3)) if count is None else count
    u = even_in_one(number)
    height = 2 * u[:, 0] - 1
    reach = np.cbrt(hollow**3 + (1 - hollow**3) * u[:, 1])
    ring, angle = np.sqrt(1 - height**2), 2 * np.pi * u[:, 2]
    unit = np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)
    points = np.asarray(centre) + reach[:, None] * unit * np.asarray(radii)
    return points, np.full(number, uptake * volume / number)


def fill_column(
    section: Callable[[float], Sequence[float]],
    low: float,
    high: float,
    uptake: float,
    *,
    density: float = 1.0,
    fullness: float = 2.0,
) -> Filling:
    """Fill a body whose sections are superellipses that change with height.

    Args:
        section: Height to (half-width, half-depth, x of the middle, y of the middle), nominal mm.
        low: Lowest height.
        high: Highest height.
        uptake: Concentration.
        density: Points relative to bone.
        fullness: Exponent: 2 an ellipse, more a rounded box.
    """
    heights = np.linspace(low, high, max(2, int((high - low) / 8)))
    table = np.array([section(float(z)) for z in heights])
    areas = np.pi * table[:, 0] * table[:, 1]
    volume = float(areas.mean() * (high - low))
    u = even_in_one(max(64, int(volume * POINTS_PER_MM3 * density)))
    z = low + (high - low) * u[:, 0]
    a, b, x, y = (np.interp(z, heights, column) for column in table.T)
    angle, reach = 2 * np.pi * u[:, 1], np.sqrt(u[:, 2])
    c, s = np.cos(angle), np.sin(angle)
    reach = reach * (np.abs(c) ** fullness + np.abs(s) ** fullness) ** (-1 / fullness)
    points = np.stack([x + a * reach * c, y + b * reach * s, z], axis=1)
    return points, uptake * (a * b / (a * b).mean()) * volume / len(u)


def fill_plate(loft: Loft, low: float, high: float, uptake: float) -> Filling:
    """Fill a plate whose section is a curve that changes with height.

    Args:
        loft: The plate.
        low: Lowest height, nominal mm.
        high: Highest height.
        uptake: Concentration.
    """
    step = 4.0
    rods, heights = [], []
    for z in np.arange(low + step / 2, high, step):
        rows = np.array(smooth_path([[x, y, z, r] for x, y, r in loft.section(float(z))], 3))
        rods.append(np.hstack([rows[:-1], rows[1:]]))
        heights += [float(z)] * (len(rows) - 1)
    table = np.concatenate(rods)
    along = table[:, 4:6] - table[:, 0:2]
    length = np.hypot(along[:, 0], along[:, 1]) + 1e-9
    volume = (table[:, 3] + table[:, 7]) * length * step
    counts = np.maximum(3, np.ceil(volume * POINTS_PER_MM3)).astype(np.int64)
    which = np.repeat(np.arange(len(table)), counts)
    u = even(counts)
    t = u[:, 0]
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / length[:, None]
    thickness = (1 - t) * table[which, 3] + t * table[which, 7]
    flat = table[which, 0:2] + t[:, None] * along[which]
    flat = flat + ((2 * u[:, 1] - 1) * thickness)[:, None] * normal[which]
    z = np.array(heights)[which] + step * (u[:, 2] - 0.5)
    return np.column_stack([flat, z]), (uptake * volume / counts)[which]


def fill_knobs(paths: Sequence[Path], uptake: float) -> Filling:
    """Fill the round ends of bones: a ball at each point (x, y, z, r) of the paths."""
    balls = [(p[:3], [p[3]] * 3) for path in paths for p in path]
    return join([fill_ellipsoid(centre, radii, uptake) for centre, radii in balls])


def mottled(rng: np.random.Generator, points: Array, strength: float, period_mm: float) -> Array:
    """(N,) factors of mean 1 that change over some distance.

    Args:
        rng: Draws the pattern.
        points: (N, 3), nominal mm.
        strength: Relative standard deviation.
        period_mm: Over what distance.
    """
    waves = rng.normal(0, 1, size=(5, 3)) * 2 * np.pi / period_mm
    phases = rng.uniform(0, 2 * np.pi, size=5)
    pattern = np.sin(points @ waves.T + phases).sum(axis=1) / np.sqrt(2.5)
    factor: Array = np.clip(1 + strength * pattern, 0.2, None)
    return factor


def other_side(filling: Filling) -> Filling:
    """The same filling on the other side of the body."""
    points, activity = filling
    return points * np.array([-1.0, 1.0, 1.0]), activity
