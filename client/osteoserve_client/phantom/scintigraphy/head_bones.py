"""Uptake of the skull: the vault's rim, the bright face, mandible and teeth."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.scintigraphy.cloud import (
    Cloud,
    Filling,
    Part,
    fill_ellipsoid,
    fill_rods,
    join,
)
from osteoserve_client.phantom.shapes import Path, chain, mirrored, smooth_path

VAULT_CENTRE = (0.0, 4.0, 1624.0)
VAULT_RADII = (73.0, 91.0, 86.0)

#: What stays in place when the skull is larger or smaller: the chin's height, on the spine.
_CHIN = np.array([0.0, 10.0, 1515.0])

# Rods (x, y, z, r) of the left side, nominal mm.
_BASE: list[Path] = [
    [(62, 10, 1580, 8), (40, -2, 1582, 9), (14, -16, 1586, 7)],
    [(58, 22, 1574, 9), (54, 26, 1554, 7)],
    [(6, 44, 1574, 6), (34, 44, 1580, 6)],
]
_FACE: list[Path] = [
    [(66, -30, 1576, 4), (56, -60, 1573, 6), (38, -76, 1574, 6)],
    [(54, -64, 1575, 6), (52, -68, 1598, 5), (44, -76, 1618, 5)],
    [(2, -84, 1616, 5), (28, -84, 1618, 5)],
]
#: Turbinates, septum and sinuses: mucosa and thin bone, the brightest part of the face.
_NOSE: list[Path] = [
    [(9, -66, 1584, 9), (13, -68, 1556, 13)],
    [(24, -62, 1568, 8), (22, -64, 1546, 9)],
    [(0, -76, 1598, 6), (0, -80, 1570, 8)],
]
_UPPER_JAW: list[Path] = [[(27, -56, 1541, 7), (20, -80, 1540, 7), (2, -90, 1540, 7)]]
_RAMUS: Path = [(50, -2, 1572, 6), (48, -8, 1548, 5), (45, -14, 1526, 6)]
_JAW: Path = [(45, -14, 1528, 8), (38, -44, 1523, 9), (24, -70, 1522, 12), (0, -80, 1521, 14)]


def skull(rng: np.random.Generator) -> list[Cloud]:
    """The skull with the mandible.

    Args:
        rng: Draws how bright vault, face and jaws are, and a bright tooth or two.
    """
    vault, face, nose, jaw = np.exp(rng.normal(0, [0.25, 0.2, 0.35, 0.3]))
    size = float(np.clip(rng.normal(1.04, 0.04), 0.94, 1.13))
    fillings = [
        _vault(3.4 * vault * float(rng.choice([1.0, 1.6], p=[0.85, 0.15]))),
        fill_rods(_both(_BASE), 3.4 * face),
        fill_rods(_both(_FACE), 3.4 * face),
        fill_rods(_both(_NOSE), 3.2 * nose),
        # Mucosa and sinuses round them.
        fill_ellipsoid((0, -56, 1558), (34, 28, 42), 1.5 * nose, count=5000),
        fill_ellipsoid((0, -60, 1562), (23, 22, 30), 2.0 * nose, count=3000),
        fill_rods(_both(_UPPER_JAW), 5.5 * jaw),
        fill_rods(_both([_RAMUS]), 2.0 * jaw),
        fill_rods(_both([smooth_path(_JAW)]), 2.6 * jaw),
    ]
    for _ in range(int(rng.poisson(1.0))):
        angle, z = float(rng.uniform(-1.2, 1.2)), float(rng.choice([1522.0, 1540.0]))
        root = (36 * np.sin(angle), -42 - 44 * np.cos(angle), z)
        fillings.append(fill_ellipsoid(root, (7, 7, 7), float(rng.uniform(8, 30))))
    points, activity = join(fillings)
    return [Cloud(Part.SKULL, "", (points - _CHIN) * size + _CHIN, activity)]


def _vault(uptake: float) -> Filling:
    """The vault's shell above a floor that rises to the front."""
    points, activity = fill_ellipsoid(VAULT_CENTRE, VAULT_RADII, uptake, hollow=0.9, count=24000)
    floor = 1582 - 0.3 * np.clip(points[:, 1] + 20, -70, 60)
    kept = points[:, 2] > floor
    return points[kept], activity[kept]


def _both(paths: list[Path]) -> list[list[float]]:
    return [row for p in paths for row in chain(p) + chain(mirrored(p))]
