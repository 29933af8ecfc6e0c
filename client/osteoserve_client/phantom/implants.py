"""Metal in the bones: a hip stem with its head, pedicle screws. Streaks come from the scanner."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.canvas import Array, SliceCanvas
from osteoserve_client.phantom.parameters import PhantomParameters
from osteoserve_client.phantom.shapes import Capsules, chain
from osteoserve_client.phantom.spine import CURVE, levels

METAL_HU = 3071.0


class Implants:
    """Metal of one patient; it replaces bone and counts as bone in the label.

    A reader of a skeleton mask expects a replaced femoral head inside the femur, and the
    network cannot tell the two apart in a window that ends at 300 HU.
    """

    def __init__(self, parameters: PhantomParameters) -> None:
        rods: list[list[float]] = []
        if parameters.hip_implant != "none":
            s = 1.0 if parameters.hip_implant == "left" else -1.0
            stem = [(88, 0, 890, 15), (90, 0, 889, 15), (118, 3, 862, 7), (121, 5, 830, 8),
                    (116, -4, 740, 5)]  # fmt: skip
            rods += chain([(s * x, y, z, r) for x, y, z, r in stem])
        if parameters.spinal_screws:
            rods += _screws()
        self._rods = Capsules(rods) if rods else None

    def paint(self, canvas: SliceCanvas) -> Array | None:
        """Paint the metal.

        Returns:
            (Y, X) float32 coverage by metal, or None where the slice holds none.
        """
        if self._rods is None:
            return None
        field = canvas.field()
        self._rods.unite(canvas, field)
        taken = field.take()
        if taken is None or not (taken[1] < 0).any():
            return None
        box, distance = taken
        canvas.paint(box, distance, METAL_HU)
        metal = np.zeros_like(canvas.hu)
        metal[box] = canvas.coverage(distance)
        np.maximum(canvas.bone, metal, out=canvas.bone)
        return metal


def _screws() -> list[list[float]]:
    rods: list[list[float]] = []
    for v in levels()[:3]:
        y = CURVE(v.middle)[0]
        z = v.middle + 6
        for s in (-1.0, 1.0):
            rods += chain(
                [(s * 9, y - 8, z, 2.8), (s * 18, y + 22, z, 2.8), (s * 20, y + 34, z, 5.5)]
            )
    for s in (-1.0, 1.0):
        first, last = levels()[0].middle, levels()[2].middle
        rods += chain(
            [(s * 20, CURVE(first)[0] + 34, first, 3), (s * 20, CURVE(last)[0] + 34, last, 3)]
        )
    return rods
