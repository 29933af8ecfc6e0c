"""The phantom: a synthetic CT of a whole body and the true mask of its skeleton."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osteoserve_client.phantom.airways import Airways
from osteoserve_client.phantom.body import Body, lowest_skin
from osteoserve_client.phantom.canvas import NOMINAL_STATURE_MM, Array, BodyFrame, SliceCanvas
from osteoserve_client.phantom.foreign import ForeignBodies
from osteoserve_client.phantom.head import Head
from osteoserve_client.phantom.implants import Implants
from osteoserve_client.phantom.limbs import Limbs
from osteoserve_client.phantom.organs import Organs
from osteoserve_client.phantom.parameters import PhantomParameters, draw_parameters
from osteoserve_client.phantom.pelvis import Pelvis
from osteoserve_client.phantom.scanner import NoiseTiles, Scanner
from osteoserve_client.phantom.spine import Spine
from osteoserve_client.phantom.surface import SurfaceObjects
from osteoserve_client.phantom.table import Table
from osteoserve_client.phantom.thorax import Thorax
from osteoserve_client.phantom.vessels import Vessels
from osteoserve_preprocessing.geometry import Geometry, Volume

#: Parts of the body that can be scanned: lowest and highest z, nominal mm above the soles.
REGIONS = {
    "whole_body": (0.0, 1730.0),
    "vertex_to_mid_thigh": (680.0, 1730.0),
    "trunk": (680.0, 1480.0),
    "head_neck": (1420.0, 1730.0),
    "thorax": (1150.0, 1470.0),
    "abdomen": (1000.0, 1260.0),
    "pelvis": (790.0, 1060.0),
    "legs": (0.0, 850.0),
}


@dataclass(frozen=True, eq=False)
class PhantomCT:
    """A synthetic CT and its truth.

    Args:
        volume: (Z, Y, X) int16 HU, canonical: x to the patient's left, y to the back, z to the
            head; with its geometry.
        labels: (Z, Y, X) uint8, 0 background, 1 bone with its marrow (and metal inside it);
            without spinal canal, discs, cartilage, vessels, teeth are bone.
        parameters: What it was made from.
    """

    volume: Volume
    labels: npt.NDArray[np.uint8]
    parameters: PhantomParameters


class PhantomScan:
    """One patient on one table, ready to be scanned slice by slice."""

    def __init__(
        self,
        parameters: PhantomParameters,
        *,
        rows: int = 512,
        columns: int = 512,
        pixel_spacing_mm: float = 0.9766,
    ) -> None:
        self.parameters = parameters
        self.scale = parameters.stature_mm / NOMINAL_STATURE_MM
        self.columns_mm = (np.arange(columns) - (columns - 1) / 2) * pixel_spacing_mm
        self.rows_mm = (np.arange(rows) - (rows - 1) / 2) * pixel_spacing_mm
        self._frame = BodyFrame(parameters, self.columns_mm, self.rows_mm, pixel_spacing_mm)
        grid = (self.columns_mm, self.rows_mm, pixel_spacing_mm)
        self._tiles = NoiseTiles(parameters.seed, rows, columns, pixel_spacing_mm)
        self._scanner = Scanner(parameters, *grid, self._tiles)
        table = Table(parameters, *grid, lowest_skin(parameters, self.scale))
        self._background = np.full((rows, columns), -1000, dtype=np.float32)
        table.paint(self._background)
        self._body, self._organs = Body(parameters), Organs(parameters)
        self._airways, self._foreign = Airways(parameters), ForeignBodies(parameters)
        self._thorax, self._vessels = Thorax(parameters), Vessels(parameters)
        self._bones = (Spine(parameters), Pelvis(parameters), Limbs(parameters), Head(parameters))
        self._implants, self._surface = Implants(parameters), SurfaceObjects(parameters)

    def slice(self, z_mm: float) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
        """The axial slice at a height above the soles.

        Args:
            z_mm: Height, mm.

        Returns:
            (Y, X) int16 HU, and (Y, X) uint8 label, 1 where bone fills half a pixel or more.
        """
        heights = self._sampled_heights(z_mm)
        painted = [self._paint(z) for z in heights]
        hu, bone = painted[0][0].hu, painted[0][0].bone
        for canvas, _ in painted[1:]:
            hu += canvas.hu
            bone += canvas.bone
        hu /= len(painted)
        metals = [metal for _, metal in painted if metal is not None]
        label = bone >= 0.5 * len(painted)
        label &= ~self._scanner.outside
        image = self._scanner.acquire(hu, z_mm, metals[0] if metals else None)
        return image, label.astype(np.uint8)

    def pixel_at(self, x: float, y: float, z: float) -> tuple[int, int]:
        """(row, column) of the pixel nearest to a point of the body.

        Args:
            x: To the left of the body's axis, nominal mm, as in the tables of the anatomy.
            y: To the back, nominal mm.
            z: Above the soles, nominal mm.
        """
        across, back = self._frame.coordinates(z)
        nearest = int((np.square(across - x) + np.square(back - y)).argmin())
        row, column = np.unravel_index(nearest, across.shape)
        return int(row), int(column)

    def _sampled_heights(self, z_mm: float) -> npt.NDArray[np.float64]:
        """Where a slice of some thickness is sampled: at most 2.5 mm apart."""
        thickness = self.parameters.slice_thickness_mm
        count = max(1, int(np.ceil(thickness / 2.5)))
        return z_mm + thickness * ((np.arange(count) + 0.5) / count - 0.5)

    def _paint(self, z_mm: float) -> tuple[SliceCanvas, Array | None]:
        """An ideal thin slice, and its coverage by metal."""
        canvas = SliceCanvas(
            self._frame, z_mm / self.scale, self._background.copy(), self._tiles.tissue(z_mm)
        )
        self._body.paint(canvas)
        self._surface.paint(canvas)
        self._thorax.paint_lungs(canvas)
        self._organs.paint(canvas)
        self._vessels.paint(canvas)
        self._airways.paint(canvas)
        self._foreign.paint(canvas)
        self._thorax.paint_bones(canvas)
        for bones in self._bones:
            bones.paint(canvas)
        return canvas, self._implants.paint(canvas)


def make_ct_phantom(
    *,
    slices: int = 120,
    seed: int = 0,
    rows: int = 512,
    columns: int = 512,
    pixel_spacing_mm: float = 0.9766,
    slice_spacing_mm: float | None = None,
    region: str = "vertex_to_mid_thigh",
    parameters: PhantomParameters | None = None,
) -> PhantomCT:
    """Make a synthetic CT with its true skeleton mask.

    Args:
        slices: How many.
        seed: The same seed gives the same voxels.
        rows: Rows of a slice.
        columns: Columns of a slice.
        pixel_spacing_mm: Distance of pixel centres, both ways.
        slice_spacing_mm: Distance of slices; None spreads them over the region.
        region: One of `REGIONS`; the first slice lies at its lower end.
        parameters: The patient; None draws one from the seed.

    Returns:
        The phantom, canonical, slices from the feet to the head.

    Raises:
        ValueError: An unknown region, or sizes that are not positive.
    """
    if region not in REGIONS:
        raise ValueError(f"{region!r} is none of {', '.join(REGIONS)}")
    if min(slices, rows, columns) < 1:
        raise ValueError("slices, rows and columns must be positive")
    if pixel_spacing_mm <= 0 or (slice_spacing_mm is not None and slice_spacing_mm <= 0):
        raise ValueError("pixel_spacing_mm and slice_spacing_mm must be positive")
    patient = parameters if parameters is not None else draw_parameters(seed)
    scan = PhantomScan(patient, rows=rows, columns=columns, pixel_spacing_mm=pixel_spacing_mm)
    low, high = (scan.scale * z for z in REGIONS[region])
    spacing = (high - low) / slices if slice_spacing_mm is None else slice_spacing_mm
    heights = low + spacing * np.arange(slices)
    voxels = np.empty((slices, rows, columns), dtype=np.int16)
    labels = np.empty((slices, rows, columns), dtype=np.uint8)
    for k, (hu, label) in enumerate(_scanned(scan, heights)):
        voxels[k], labels[k] = hu, label
    geometry = Geometry(
        shape=(slices, rows, columns),
        spacing=(spacing, pixel_spacing_mm, pixel_spacing_mm),
        origin=(float(scan.columns_mm[0]), float(scan.rows_mm[0]), float(low)),
    )
    return PhantomCT(volume=Volume(voxels, geometry), labels=labels, parameters=patient)


def _scanned(
    scan: PhantomScan, heights: npt.NDArray[np.float64]
) -> Iterator[tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]]:
    for z in heights:
        yield scan.slice(float(z))
