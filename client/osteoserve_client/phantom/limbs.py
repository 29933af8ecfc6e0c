"""Shoulder girdle, arms and legs: the tubular bones."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.canvas import Bone, DistanceField, SliceCanvas
from osteoserve_client.phantom.limb_paths import (
    SCAPULA,
    arm_bones,
    girdle_rods,
    leg_ends,
    leg_shafts,
    leg_thin_shafts,
)
from osteoserve_client.phantom.parameters import PhantomParameters
from osteoserve_client.phantom.shapes import Capsules, Loft, Path, chain, ellipsoid, mirrored


class Limbs:
    """Tubular bones of one patient.

    Three kinds are painted apart: shafts with fatty marrow in a thick cortex, spongy ends in a
    thin one, and the flat girdle.
    """

    def __init__(self, parameters: PhantomParameters) -> None:
        fatty = float(np.interp(parameters.marrow_hu, [20, 250], [-70, 40]))
        self._shaft = Bone(4.6, parameters.cortex_hu, fatty, 14.0, 20.0)
        self._thin_shaft = Bone(2.8, 0.95 * parameters.cortex_hu, fatty + 30, 18.0, 40.0)
        spongy = 0.9 * parameters.marrow_hu + 60
        self._spongy = Bone(
            1.3, 0.65 * parameters.cortex_hu, spongy, 35.0, fat=0.7 * parameters.marrow_fat
        )
        self._girdle = Bone(1.2, 0.8 * parameters.cortex_hu, 0.6 * parameters.marrow_hu + 60, 30.0)
        arms = arm_bones(parameters.arms, parameters.arm_spread_mm)
        self._girdle_rods = Capsules(_both(girdle_rods()))
        self._parts = [
            (Capsules(_both(arms[2] + leg_thin_shafts())), self._thin_shaft),
            (Capsules(_both(leg_shafts() + arms[0])), self._shaft),
            (Capsules(_both(leg_ends() + arms[1])), self._spongy),
        ]
        self._scapulae = [
            Loft([(z, [(s * x, y, r) for x, y, r in p]) for z, p in SCAPULA]) for s in (1.0, -1.0)
        ]

    def paint(self, canvas: SliceCanvas) -> None:
        """Paint every bone of arms and legs that crosses the slice."""
        field = canvas.field()
        self._girdle_rods.unite(canvas, field)
        for scapula in self._scapulae:
            scapula.unite(canvas, field)
        _paint(canvas, field, self._girdle)
        self._carve_joints(canvas)
        for capsules, bone in self._parts:
            field = canvas.field()
            capsules.unite(canvas, field)
            _paint(canvas, field, bone)

    def _carve_joints(self, canvas: SliceCanvas) -> None:
        """Cartilage between the heads and their sockets: what makes the sockets hollow."""
        for s in (-1.0, 1.0):
            for x, y, z, radius in ((88, 0, 890, 26.5), (177, 28, 1400, 25.5)):
                gap = ellipsoid(canvas, (s * x, y, z), (radius, radius, radius))
                if gap is not None:
                    canvas.carve(*gap, 65.0)


def _paint(canvas: SliceCanvas, field: DistanceField, bone: Bone) -> None:
    taken = field.take()
    if taken is not None:
        canvas.paint_bone(*taken, bone)


def _both(paths: list[Path]) -> list[list[float]]:
    return [row for p in paths for row in chain(p) + chain(mirrored(p))]
