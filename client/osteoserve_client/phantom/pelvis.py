"""The pelvis: iliac wings, acetabula, pubis and ischium, sacrum and coccyx."""

from __future__ import annotations

import numpy as np

from osteoserve_client.phantom.canvas import Bone, SliceCanvas
from osteoserve_client.phantom.parameters import PhantomParameters
from osteoserve_client.phantom.shapes import Capsules, Loft, Path, Profile, chain, ellipse, mirrored

#: Centre of the left femoral head (x, y, z), nominal mm.
HIP = (88.0, 0.0, 890.0)

# Sections of the left ilium from the acetabular roof to the crest, back to front: x, y, half
# the thickness.
ILIUM: list[tuple[float, Path]] = [
    (908.0, [(72, 34, 9), (80, 22, 13), (88, 4, 15), (92, -14, 13), (94, -30, 9)]),
    (925.0, [(62, 48, 7), (72, 30, 10), (85, 8, 11), (97, -14, 10), (102, -36, 8)]),
    (945.0, [(54, 66, 8), (62, 42, 7), (82, 14, 6), (104, -14, 5.5), (110, -46, 7.5)]),
    (970.0, [(44, 84, 8), (53, 57, 7), (80, 22, 4), (109, -15, 3.4), (117, -56, 7)]),
    (995.0, [(46, 84, 8), (57, 58, 6), (85, 24, 3.2), (114, -11, 3.4), (121, -48, 6.5)]),
    (1020.0, [(56, 76, 7), (69, 54, 5), (92, 26, 3.2), (116, -4, 4.2), (121, -32, 6)]),
    (1040.0, [(76, 62, 5), (86, 46, 4.5), (102, 22, 4.0), (116, 0, 5.5), (120, -12, 5.5)]),
    (1048.0, [(90, 46, 4), (96, 38, 4.5), (106, 22, 5.0), (114, 8, 5.5), (117, 0, 4)]),
]
ACETABULUM: list[tuple[float, Path]] = [
    (872.0, [(70, 32, 9), (66, 14, 5), (63, 0, 4), (64, -14, 6), (72, -26, 8), (82, -30, 5)]),
    (890.0, [(96, 33, 6), (80, 33, 9), (64, 18, 5), (60, -2, 3.5), (68, -22, 7), (90, -32, 6)]),
    (908.0, [(98, 30, 7), (84, 28, 11), (72, 14, 12), (72, -4, 12), (82, -22, 11), (98, -30, 7)]),
]
# Middle of the sacrum and coccyx: y, half-depth of the bodies, half-width of the whole.
SACRUM = Profile(
    [
        (868, 62, 4, 5),
        (890, 76, 5, 9),
        (910, 82, 7, 20),
        (930, 80, 9, 34),
        (950, 68, 12, 44),
        (970, 50, 15, 50),
        (988, 33, 17, 50),
    ],
    smoothing_mm=6,
)


class Pelvis:
    """The pelvic ring of one patient."""

    def __init__(self, parameters: PhantomParameters) -> None:
        marrow = 0.6 * parameters.marrow_hu + 10
        fat = parameters.marrow_fat
        self._bone = Bone(1.5, 0.8 * parameters.cortex_hu, marrow, 30.0, fat=0.6 * fat)
        self._spongy = Bone(
            1.0, 0.5 * parameters.cortex_hu, 0.8 * parameters.marrow_hu, 26.0, fat=fat
        )
        self._plates = [
            Loft(_side(sections, s), blend_mm=6.0) for sections in (ILIUM, ACETABULUM)
            for s in (1.0, -1.0)
        ]  # fmt: skip
        self._rami = Capsules(_rami())

    def paint(self, canvas: SliceCanvas) -> None:
        """Paint sacrum and hip bones."""
        if not 790 <= canvas.z <= 1060:
            return
        self._paint_sacrum(canvas)
        field = canvas.field()
        for plate in self._plates:
            plate.unite(canvas, field)
        self._rami.unite(canvas, field)
        taken = field.take()
        if taken is not None:
            canvas.paint_bone(*taken, self._bone)

    def _paint_sacrum(self, canvas: SliceCanvas) -> None:
        z = canvas.z
        if not 866 <= z <= 1000:
            return
        y, depth, wide = SACRUM(z)
        beyond = max(0.0, z - 988) * 1.2
        bulge = depth * 0.55
        rods = [
            [-wide * 0.45, y, z, depth * 0.8, wide * 0.45, y, z, depth * 0.8],
            [wide * 0.4, y + 4, z, bulge + 2, wide - bulge, y + 14, z, bulge],
            [-wide * 0.4, y + 4, z, bulge + 2, -wide + bulge, y + 14, z, bulge],
        ]
        if z > 905:
            back = y + depth + 13
            rods += [
                [0, back, z, 3.5, 0, back + 5, z, 3.0],
                [0, back, z, 3.5, 0.55 * wide, y + depth + 4, z, 4.5],
                [0, back, z, 3.5, -0.55 * wide, y + depth + 4, z, 4.5],
            ]
        field = canvas.field()
        Capsules(rods).unite(canvas, field)
        taken = field.take()
        if taken is None:
            return
        canvas.paint_bone(taken[0], taken[1] + np.float32(beyond), self._spongy)
        if z > 905:
            self._paint_foramina(canvas, y, depth, wide)

    def _paint_foramina(self, canvas: SliceCanvas, y: float, depth: float, wide: float) -> None:
        canal = y + depth + 4.0
        open_at = abs(((canvas.z - 915) / 20) % 1 - 0.5) * 2
        holes = [(0.0, canal, min(10.0, 0.3 * wide), 4.5)]
        if open_at < 0.5:
            holes += [(s * 0.5 * wide, y + 4, 4.5, 5.5) for s in (-1.0, 1.0)]
        for cx, cy, a, b in holes:
            box = canvas.box(cx - a, cx + a, cy - b, cy + b)
            if box is not None:
                u, v = canvas.x[box] - np.float32(cx), canvas.y[box] - np.float32(cy)
                canvas.carve(box, ellipse(u, v, a, b), -40.0)
                canvas.carve(box, ellipse(u, v, a - 2, b - 2), 25.0)


def _side(sections: list[tuple[float, Path]], s: float) -> list[tuple[float, Path]]:
    return [(z, [(s * x, y, r) for x, y, r in points]) for z, points in sections]


def _rami() -> list[list[float]]:
    """Pubic rami, ischium and tuberosity of both sides, as rods."""
    paths: list[Path] = [
        [(72, -24, 884, 10), (48, -42, 877, 7.5), (24, -54, 868, 7.5), (11, -57, 858, 9)],
        [(11, -57, 862, 9), (10, -54, 842, 8)],
        [(10, -53, 844, 7), (26, -32, 826, 5.5), (44, -4, 812, 6.5), (54, 18, 812, 11)],
        [(76, 32, 880, 12), (70, 38, 858, 12), (60, 30, 830, 13), (55, 20, 812, 11)],
        [(64, 34, 876, 8), (58, 46, 872, 4)],
    ]
    rods: list[list[float]] = []
    for path in paths:
        rods += chain(path) + chain(mirrored(path))
    return rods
