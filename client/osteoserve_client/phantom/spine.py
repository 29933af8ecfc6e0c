"""The vertebral column: 24 vertebrae with discs, arches and processes, and the spinal canal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from osteoserve_client.phantom.canvas import Array, Bone, Box, SliceCanvas
from osteoserve_client.phantom.parameters import PhantomParameters
from osteoserve_client.phantom.shapes import Capsules, Profile, chain, ellipse

#: y of the middle of the vertebral bodies: lordosis, kyphosis, lordosis; lying on the back.
CURVE = Profile(
    [(960, 42), (990, 28), (1060, 18), (1120, 24), (1180, 32), (1270, 42), (1370, 40),
     (1440, 24), (1500, 8), (1560, 6), (1600, 8)]
)  # fmt: skip

#: Below this the trabeculae no longer bear the discs' pressure.
WEAK_MARROW_HU = 110.0


@dataclass(frozen=True)
class Vertebra:
    """One level.

    Args:
        name: "L5" ... "C1".
        bottom, top: Heights of the end plates, nominal mm.
        half_width, half_depth: Of the body's section.
    """

    name: str
    bottom: float
    top: float
    half_width: float
    half_depth: float

    @property
    def middle(self) -> float:
        """Height of the body's middle."""
        return (self.bottom + self.top) / 2


def levels() -> tuple[Vertebra, ...]:
    """L5 to C2, from the sacrum (z = 988) to the skull base."""
    names = [f"L{n}" for n in range(5, 0, -1)] + [f"T{n}" for n in range(12, 0, -1)]
    names += [f"C{n}" for n in range(7, 1, -1)]
    pitch = np.concatenate(
        [np.linspace(36.5, 34, 5), np.linspace(27.5, 19.5, 12), np.linspace(18.5, 16.5, 6)]
    )
    disc = np.concatenate([np.linspace(10, 7.5, 5), np.linspace(5.5, 4, 12), np.full(6, 4.5)])
    width = np.concatenate(
        [np.linspace(25, 21.5, 5), np.linspace(20, 14.5, 12), np.linspace(13, 10.5, 6)]
    )
    depth = np.concatenate(
        [np.linspace(17.5, 16, 5), np.linspace(15.5, 10, 12), np.linspace(8.5, 8, 6)]
    )
    z, out = 988.0, []
    for name, p, gap, a, b in zip(names, pitch, disc, width, depth, strict=True):
        out.append(Vertebra(name, z + gap / 2, z + p - gap / 2, float(a), float(b)))
        z += float(p)
    return tuple(out)


class Spine:
    """The column of one patient."""

    def __init__(self, parameters: PhantomParameters) -> None:
        rng = np.random.default_rng([parameters.seed, 31])
        self._bone = Bone(1.0, 0.42 * parameters.cortex_hu + parameters.marrow_hu,
                          parameters.marrow_hu, 22.0)  # fmt: skip
        self._arch = Bone(1.6, 0.75 * parameters.cortex_hu, parameters.marrow_hu + 90, 25.0)
        self._swing = parameters.scoliosis_mm
        self._phase = float(rng.uniform(0, 2 * np.pi))
        self._disc_hu = float(rng.uniform(70, 150))
        self.levels = levels()
        # Spurs bridge the worn discs of the old: a ring of compact bone round what is none.
        worn = rng.random() < 0.5
        self._spur = Bone(3.0, 0.75 * parameters.cortex_hu + 150, parameters.marrow_hu + 250)
        self._spurs = rng.uniform(0, 1, len(self.levels)) < (0.6 if worn else 0.0)
        self._spur_side = rng.uniform(-np.pi, np.pi, len(self.levels))
        self._arches = [self._build_arch(v) for v in self.levels]
        # Weak bone sinks in under the discs.
        weak = 1.0 if parameters.marrow_hu < WEAK_MARROW_HU else 0.0
        self._dish_mm = rng.uniform(0.6, 2.4) + rng.uniform(0, 0.9 + weak, len(self.levels))

    def middle(self, z: float) -> tuple[float, float]:
        """(x, y) of the middle of the column at height z."""
        return self._swing * float(np.sin(z / 90 + self._phase)), CURVE(z)[0]

    def paint(self, canvas: SliceCanvas) -> None:
        """Paint discs, vertebrae and the canal."""
        if not 940 <= canvas.z <= 1610:
            return
        self._paint_bodies(canvas)
        self._paint_arches(canvas)
        self._paint_canal(canvas)

    def _paint_bodies(self, canvas: SliceCanvas) -> None:
        for number, v in enumerate(self.levels):
            if not v.bottom - 14 <= canvas.z <= v.top + 14:
                continue
            cx, cy = self.middle(v.middle)
            box = canvas.box(cx - 32, cx + 32, cy - 26, cy + 26)
            if box is None:
                continue
            section, along, centre = self._body(canvas, box, v, cx, cy)
            canvas.paint(box, np.maximum(section + 1, along - 6), self._disc_hu)
            # Osteophytes and compact end plates: the rim is wider and denser than the waist. The
            # plates are dishes, so that a slice through a disc shows it in a ring of bone.
            dish = np.float32(min(self._dish_mm[number], 0.3 * (v.top - v.bottom))) * centre
            canvas.paint_bone(box, np.maximum(section, along + dish), self._bone)
            if self._spurs[number]:
                self._paint_spur(canvas, box, number, (cx, cy), (section, along))

    def _paint_spur(
        self,
        canvas: SliceCanvas,
        box: Box,
        number: int,
        middle: tuple[float, float],
        distances: tuple[Array, Array],
    ) -> None:
        """A rim that reaches over the disc above and below, on two thirds of the circumference."""
        section, along = distances
        x, y = canvas.x[box] - np.float32(middle[0]), canvas.y[box] - np.float32(middle[1])
        angle = np.arctan2(y, x) - np.float32(self._spur_side[number])
        open_side = np.float32(6.0) * np.clip(-0.5 - np.cos(angle), 0, 1)
        ring = np.abs(section - np.float32(0.6)) - np.float32(2.2)
        reach = np.maximum(along - np.float32(4.0), -along - np.float32(5.0))
        # Spurs grow forward and to the sides, never into the canal.
        front = y - np.float32(0.55) * np.float32(self.levels[number].half_depth)
        outline = np.maximum(np.maximum(ring, reach), front) + open_side
        canvas.paint_bone(box, outline, self._spur)

    def _body(
        self, canvas: SliceCanvas, box: Box, v: Vertebra, cx: float, cy: float
    ) -> tuple[Array, Array, Array]:
        """Distances to the side and to the flat end plates, which follow the curve.

        The third array is how central a place is: 1 in the middle of the body, 0 at its rim.
        """
        slope = (CURVE(v.middle + 15)[0] - CURVE(v.middle - 15)[0]) / 30
        x, y = canvas.x[box] - np.float32(cx), canvas.y[box] - np.float32(cy)
        height = np.float32(canvas.z - v.middle) - np.float32(slope) * y
        half = np.float32((v.top - v.bottom) / 2)
        along = np.abs(height) - half
        rim = 1 - 0.1 * (1 - np.clip(np.square(height / half), 0, 1.3))
        y = y - np.float32(slope) * height
        # The back of the body is flat to hollow, towards the canal.
        hollow = 0.35 * np.clip(y, 0, None) * np.exp(-np.square(x / np.float32(9)))
        a, b = v.half_width, v.half_depth
        section = ellipse(x / rim, (y + hollow) / rim, a, b)
        flat = y - np.float32(0.82 * b)
        radius = np.square(x / np.float32(0.85 * a)) + np.square(y / np.float32(0.85 * b))
        return np.maximum(section, flat), along, np.clip(1 - radius, 0, 1)

    def _build_arch(self, v: Vertebra) -> Capsules:
        cx, cy = self.middle(v.middle)
        a, b, h = v.half_width, v.half_depth, v.top - v.bottom
        kind = v.name[0]
        canal = {"L": 12.5, "T": 9.5, "C": 12.0}[kind]
        depth = {"L": 17.0, "T": 15.5, "C": 14.0}[kind]
        pedicle = {"L": 5.0, "T": 3.4, "C": 3.0}[kind]
        back = cy + 0.8 * b
        up = v.middle + 0.2 * h
        rods: list[list[float]] = []
        stretch: list[float] = []

        def add(points: list[tuple[float, float, float, float]], tall: float) -> None:
            new = chain(points)
            rods.extend(new)
            stretch.extend([tall] * len(new))

        for s in (-1.0, 1.0):
            side = cx + s * (canal + pedicle)
            joint = (cx + s * (canal + 3.0), back + 0.62 * depth)
            roof = (cx, back + depth + 2.0)
            add([(side, back - 4, up, pedicle), (*joint, up - 2, pedicle)], 1.9)
            add([(*joint, up - 6, 4.0), (*roof, up - 10, 3.4)], 3.0)
            # Articular processes: up behind the level above, down behind the level below.
            wide = {"L": 4.0, "T": 2.0, "C": 5.0}[kind]
            add([(joint[0] + s * wide, joint[1] + 2, v.middle - 0.2 * h, 4.6),
                 (joint[0] + s * wide, joint[1] - 1, v.top + 5, 4.4)], 1.0)  # fmt: skip
            add([(joint[0] + s * wide * 0.4, joint[1] + 5, v.middle, 4.4),
                 (joint[0] + s * wide * 0.4, joint[1] + 6.5, v.bottom - 9, 3.8)], 1.0)  # fmt: skip
            add(self._transverse(v, cx, s, joint, up), 1.7)
        add(self._spinous(v, cx, back + depth + 1.0, up), {"L": 3.2, "T": 2.2, "C": 1.6}[kind])
        del a
        return Capsules(rods, stretch=stretch)

    def _transverse(
        self, v: Vertebra, cx: float, s: float, joint: tuple[float, float], up: float
    ) -> list[tuple[float, float, float, float]]:
        if v.name[0] == "L":
            tip = (cx + s * (v.half_width + 20), joint[1] - 1.0, up + 1, 3.0)
        elif v.name[0] == "T":
            tip = (cx + s * (v.half_width + 15), joint[1] + 9.0, up + 3, 4.6)
        else:
            tip = (cx + s * (v.half_width + 12), joint[1] - 12.0, up, 3.0)
        return [(joint[0], joint[1], up - 1, 4.2), tip]

    def _spinous(
        self, v: Vertebra, cx: float, roof: float, up: float
    ) -> list[tuple[float, float, float, float]]:
        reach, drop = {"L": (27, 9), "T": (20, 28), "C": (17, 9)}[v.name[0]]
        if v.name in ("C7", "T1"):
            reach, drop = 28, 12
        return [
            (cx, roof, up - 10, 3.0),
            (cx, roof + 0.8 * reach, up - 10 - 0.8 * drop, 2.6),
            (cx, roof + reach, up - 10 - drop, 3.8),
        ]

    def _paint_arches(self, canvas: SliceCanvas) -> None:
        field = canvas.field()
        for v, arch in zip(self.levels, self._arches, strict=True):
            if v.bottom - 50 <= canvas.z <= v.top + 14:
                arch.unite(canvas, field)
        taken = field.take()
        if taken is not None:
            canvas.paint_bone(*taken, self._arch)

    def _paint_canal(self, canvas: SliceCanvas) -> None:
        v = min(self.levels, key=lambda level: abs(level.middle - canvas.z))
        cx, cy = self.middle(canvas.z)
        a, b = {"L": (11.0, 8.0), "T": (8.2, 7.6), "C": (11.0, 7.5)}[v.name[0]]
        cy += 0.82 * v.half_depth + b + 0.8
        box = canvas.box(cx - 16, cx + 16, cy - 14, cy + 14)
        if box is None:
            return
        x, y = canvas.x[box] - np.float32(cx), canvas.y[box] - np.float32(cy)
        canvas.carve(box, ellipse(x, y, a, b), -40.0)
        canvas.carve(box, ellipse(x, y, a - 1.5, b - 1.5), 22.0)
        if canvas.z > 1130:
            canvas.carve(box, ellipse(x, y, 5.5, 4.0), 38.0)
