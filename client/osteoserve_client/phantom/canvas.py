"""One axial slice being painted: HU, bone coverage, and the body's own coordinates.

Anatomy is written down in the body's frame: nominal millimetres of a patient of 1720 mm, x to
the left, y to the back, z from the soles to the head. `BodyFrame` maps the pixels into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from osteoserve_client.phantom.parameters import PhantomParameters

Array: TypeAlias = npt.NDArray[np.float32]
Box: TypeAlias = tuple[slice, slice]

#: Height of the body that the anatomy is written for, mm.
NOMINAL_STATURE_MM = 1720.0
#: Middle of the lean and of the sideways curves: the navel's height, nominal mm.
WAIST_Z = 1060.0
#: Least thickness of the soft tissue over a bone.
SKIN_MM = 2.5
#: "No surface near": the distance field's value where nothing was drawn.
FAR = np.float32(1e3)


class BodyFrame:
    """Maps pixel centres (patient frame, mm) to the body's nominal coordinates.

    Scale, roll, lean and offset are followed by a smooth warp of a few millimetres, which is what
    keeps left and right from mirroring each other exactly.

    Args:
        parameters: The patient's size and pose.
        columns_mm: (X,) x of the pixel centres, mm, patient frame.
        rows_mm: (Y,) y of the pixel centres, mm.
        pixel_mm: Distance of pixel centres.
    """

    def __init__(
        self,
        parameters: PhantomParameters,
        columns_mm: npt.NDArray[np.float64],
        rows_mm: npt.NDArray[np.float64],
        pixel_mm: float,
    ) -> None:
        self.scale = parameters.stature_mm / NOMINAL_STATURE_MM
        self.pixel = pixel_mm / self.scale
        self.columns_mm, self.rows_mm = columns_mm, rows_mm
        self._frame = parameters.frame
        self._lean, self._offset = parameters.lean, parameters.offset_mm
        angle = np.deg2rad(parameters.roll_deg)
        self._cos, self._sin = float(np.cos(angle)), float(np.sin(angle))
        rng = np.random.default_rng([parameters.seed, 23])
        self._wave = rng.uniform(2 * np.pi / 420, 2 * np.pi / 170, size=(8, 2))
        self._phase = rng.uniform(0, 2 * np.pi, size=8)
        self._swing = rng.uniform(0.8, 2.2, size=8)

    def centre_mm(self, z: float) -> tuple[float, float]:
        """Where the body's axis crosses the height z, patient frame, mm."""
        rise = (z - WAIST_Z) * self.scale
        return (
            self._offset[0] + self._lean[0] * rise,
            self._offset[1] + self._lean[1] * rise,
        )

    def coordinates(self, z: float) -> tuple[Array, Array]:
        """(Y, X) float32 x and y of every pixel in the body's frame, nominal mm."""
        cx, cy = self.centre_mm(z)
        u = ((self.columns_mm - cx) / self.scale).astype(np.float32)
        v = ((self.rows_mm - cy) / self.scale).astype(np.float32)
        du, dv = self._warp(u, z, 0), self._warp(u, z, 2)
        eu, ev = self._warp(v, z, 4), self._warp(v, z, 6)
        widen = 1.0 / self._frame
        c, s = self._cos, self._sin
        x = ((c * u + du) * widen)[None, :] + ((s * v + eu) * widen)[:, None]
        y = (c * v + ev)[:, None] + (-s * u + dv)[None, :]
        return x.astype(np.float32), y.astype(np.float32)

    def _warp(self, along: Array, z: float, first: int) -> Array:
        total = np.zeros_like(along)
        for n in (first, first + 1):
            k, m = self._wave[n]
            total += np.float32(self._swing[n]) * np.sin(k * along + m * z + self._phase[n])
        return total

    def box(self, z: float, x0: float, x1: float, y0: float, y1: float) -> Box | None:
        """Rows and columns that can hold the body rectangle x0..x1, y0..y1; None when none."""
        x0, x1 = x0 * self._frame, x1 * self._frame
        c, s = self._cos, self._sin
        corners = [(c * x - s * y, s * x + c * y) for x in (x0, x1) for y in (y0, y1)]
        cx, cy = self.centre_mm(z)
        margin = 10.0
        columns = self._span([p[0] for p in corners], cx, self.columns_mm, margin)
        rows = self._span([p[1] for p in corners], cy, self.rows_mm, margin)
        return None if columns is None or rows is None else (rows, columns)

    def _span(
        self, nominal: list[float], centre: float, axis: npt.NDArray[np.float64], margin: float
    ) -> slice | None:
        step = self.pixel * self.scale
        low = (centre + (min(nominal) - margin) * self.scale - axis[0]) / step
        high = (centre + (max(nominal) + margin) * self.scale - axis[0]) / step
        first, last = max(0, int(np.floor(low))), min(len(axis), int(np.ceil(high)) + 1)
        return slice(first, last) if first < last else None


#: HU of yellow marrow, and standard deviation of the few coarse trabeculae that cross it.
MARROW_FAT_HU, COARSE_HU = -45.0, 90.0


@dataclass(frozen=True)
class Bone:
    """How a bone is built: a compact shell around marrow.

    Args:
        cortex_mm: Thickness of the shell.
        cortex_hu: HU of the shell.
        marrow_hu: HU inside.
        texture_hu: Standard deviation of the trabecular pattern.
        dense_hu: How much denser the marrow is right under the shell.
        fat: How far trabeculae have given way to fat, 0..1; what is left of them stands coarse.
    """

    cortex_mm: float
    cortex_hu: float
    marrow_hu: float
    texture_hu: float = 25.0
    dense_hu: float = 90.0
    fat: float = 0.0


class SliceCanvas:
    """The slice at height z: what has been painted so far.

    Attributes:
        z: Height, nominal mm.
        x, y: (Y, X) float32 body coordinates of the pixels, nominal mm.
        hu: (Y, X) float32.
        outline: (Y, X) float32 signed distance to the skin, mm, negative inside.
        peritoneum: (Y, X) float32 signed distance to the wall of the belly, mm, negative inside.
        bone: (Y, X) float32 0..1, the share of each pixel that is bone.
        texture: (Y, X) float32, smooth noise of unit variance that moves slowly with z.
        strands: (Y, X) float32, coarser noise of unit variance, for lumps and strands in fat.
        planes: (Y, X) float32, the coarsest; fat stands between muscles where it is near 0.
    """

    def __init__(
        self, frame: BodyFrame, z: float, hu: Array, tissue: tuple[Array, Array, Array]
    ) -> None:
        self.frame, self.z, self.pixel = frame, z, frame.pixel
        self.x, self.y = frame.coordinates(z)
        self.hu = hu
        self.bone = np.zeros_like(hu)
        self.outline = np.full_like(hu, FAR)
        self.peritoneum = np.full_like(hu, FAR)
        self.texture, self.strands, self.planes = tissue
        self._field = np.full_like(hu, FAR)

    def box(self, x0: float, x1: float, y0: float, y1: float) -> Box | None:
        """Pixels that can hold this rectangle of the body frame; None when it is outside."""
        return self.frame.box(self.z, x0, x1, y0, y1)

    def coverage(self, distance: Array) -> Array:
        """Share of each pixel inside the surface that `distance` (mm, negative inside) tells."""
        return np.clip(np.float32(0.5) - distance / np.float32(self.pixel), 0, 1)

    def paint(self, box: Box, distance: Array, value: float | Array) -> None:
        """Blend soft tissue of `value` HU into the inside of a surface."""
        hu = self.hu[box]
        hu += self.coverage(distance) * (value - hu)

    def carve(self, box: Box, distance: Array, value: float | Array) -> None:
        """Like `paint`, and what was bone there is bone no longer (spinal canal, foramina)."""
        self.paint(box, distance, value)
        self.bone[box] *= 1 - self.coverage(distance)

    def under_skin(self, box: Box, distance: Array) -> Array:
        """The surface cut off below the skin, which no bone or cartilage reaches.

        However thin the patient was drawn: the skeleton's width does not follow the outline's.
        """
        cut: Array = np.maximum(distance, self.outline[box] + np.float32(SKIN_MM))
        return cut

    def paint_bone(self, box: Box, distance: Array, bone: Bone) -> None:
        """Blend a bone into the inside of a surface, shell and marrow, and label it."""
        distance = self.under_skin(box, distance)
        outer = self.coverage(distance)
        uneven = np.clip(1 + np.float32(0.22) * self.strands[box], 0.5, 1.6)
        inner = self.coverage(distance + np.float32(bone.cortex_mm) * uneven)
        # Trabeculae stand denser towards the shell.
        depth = np.clip(-distance - np.float32(bone.cortex_mm), 0, 40)
        dense = bone.dense_hu * np.exp(-depth / np.float32(4.0))
        marrow = bone.marrow_hu + dense + bone.texture_hu * self.texture[box]
        if bone.fat:
            void = self._void(box, depth, bone.fat)
            coarse = np.float32(COARSE_HU) * np.maximum(self.texture[box], -1)
            marrow += void * (np.float32(MARROW_FAT_HU) + coarse - marrow)
        hu = self.hu[box]
        hu += (outer - inner) * (bone.cortex_hu - hu) + inner * (marrow - hu)
        np.maximum(self.bone[box], outer, out=self.bone[box])

    def _void(self, box: Box, depth: Array, fat: float) -> Array:
        """Share of the marrow, at this depth under the shell, mm, that is a void full of fat."""
        patches = np.clip(np.float32(2 * fat - 0.6) + np.float32(0.5) * self.strands[box], 0, 1)
        void: Array = patches * (1 - np.exp(-depth / np.float32(2.5)))
        return void

    def field(self) -> DistanceField:
        """A scratch distance field; one at a time."""
        return DistanceField(self._field)


class DistanceField:
    """The union of surfaces as a signed distance, kept only where something was drawn."""

    def __init__(self, scratch: Array) -> None:
        self._values = scratch
        self._bounds: tuple[int, int, int, int] | None = None

    def unite(self, box: Box, distance: Array) -> None:
        """Add a surface: the distance becomes the smaller of both."""
        np.minimum(self._values[box], distance, out=self._values[box])
        rows, columns = box
        new = (rows.start, rows.stop, columns.start, columns.stop)
        old = self._bounds
        self._bounds = (
            new
            if old is None
            else (
                min(old[0], new[0]),
                max(old[1], new[1]),
                min(old[2], new[2]),
                max(old[3], new[3]),
            )
        )

    def take(self) -> tuple[Box, Array] | None:
        """The box that was drawn in and a copy of the distances; the scratch is clean again."""
        if self._bounds is None:
            return None
        r0, r1, c0, c1 = self._bounds
        box = (slice(r0, r1), slice(c0, c1))
        distance = self._values[box].copy()
        self._values[box] = FAR
        self._bounds = None
        return box, distance
