"""A two-headed gamma camera: projection, attenuation by depth, blur by distance, scatter, counts.

Columns of the anterior image grow to the patient's left; those of the posterior one to the
patient's right, since that detector looks at the back. Rows grow from the head to the feet in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osteoserve_client.phantom.canvas import NOMINAL_STATURE_MM
from osteoserve_client.phantom.scintigraphy.cloud import Array
from osteoserve_client.phantom.scintigraphy.parameters import ScintigraphyParameters

ANTERIOR, POSTERIOR = "anterior", "posterior"
VIEWS = (ANTERIOR, POSTERIOR)

#: Attenuation of 140 keV in soft tissue for a broad beam, per mm (NIST: 0.0153 for a narrow one).
_ATTENUATION = 0.0125
#: Intrinsic resolution and that of a low-energy high-resolution collimator: width at half
#: maximum at no distance, mm, and its growth per mm.
_INTRINSIC_MM, _COLLIMATOR_MM, _COLLIMATOR_SLOPE = 3.8, 1.6, 0.048
_SCATTER_SIGMA_MM = 28.0
_SLAB_MM = 45.0
_CELL_MM = 12.0
#: Round the image, so that nothing wraps; sizes become products of small primes.
_MARGIN = (28, 32)
_FWHM = 2.3548


@dataclass(frozen=True, eq=False)
class Posed:
    """Points under the camera.

    Args:
        points: (N, 3) float64 (x, y, z), mm: to the patient's left, to the back, up.
        activity: (N,) float64.
        spread_mm: Standard deviation of the blob that each point stands for.
    """

    points: Array
    activity: Array
    spread_mm: float = 0.0


def gather(posed: Sequence[Posed]) -> list[Posed]:
    """The same points, in one cloud for each spread."""
    return [
        Posed(
            np.concatenate([p.points for p in posed if p.spread_mm == spread]),
            np.concatenate([p.activity for p in posed if p.spread_mm == spread]),
            spread,
        )
        for spread in sorted({p.spread_mm for p in posed})
    ]


class Camera:
    """Sees one body from both sides.

    Args:
        parameters: Of the scan.
        body: All that lies under the camera: its skin decides what is attenuated.
        shape: Rows and columns of an image.
    """

    def __init__(
        self, parameters: ScintigraphyParameters, body: Sequence[Posed], shape: tuple[int, int]
    ) -> None:
        self._p, self.shape = parameters, shape
        self._scale = parameters.stature_mm / NOMINAL_STATURE_MM
        self._skin = _Skin(np.concatenate([p.points for p in body]))
        self._grid = (shape[0] + 2 * _MARGIN[0], shape[1] + 2 * _MARGIN[1])
        frequencies = np.fft.fftfreq(self._grid[0])[:, None], np.fft.rfftfreq(self._grid[1])
        self._squared = (2 * np.pi) ** 2 * (np.square(frequencies[0]) + np.square(frequencies[1]))

    def pixels(self, points: Array, view: str) -> tuple[Array, Array]:
        """(N,) rows and (N,) columns, pixel centres at whole numbers, of points in a view."""
        p = self._p
        sign = 1.0 if view == ANTERIOR else -1.0
        row = (p.top_mm + p.stature_mm - points[:, 2]) / p.pixel_spacing_mm
        return row, (self.shape[1] - 1) / 2 + sign * points[:, 0] / p.pixel_spacing_mm

    def sees(self) -> npt.NDArray[np.bool_]:
        """(Y, X) True where the detector passed."""
        p = self._p
        half = p.field_width_mm / 2 / p.pixel_spacing_mm
        across = np.abs(np.arange(self.shape[1]) - (self.shape[1] - 1) / 2) <= half
        first = max(0.0, (p.top_mm - 110) / p.pixel_spacing_mm)
        along = np.arange(self.shape[0])
        inside = (along >= first) & (along <= p.scan_length_mm / p.pixel_spacing_mm)
        seen: npt.NDArray[np.bool_] = inside[:, None] & across[None, :]
        return seen

    def project(self, posed: Sequence[Posed], view: str) -> npt.NDArray[np.float64]:
        """(Y, X) float64 expected counts in units of activity, without scatter.

        Args:
            posed: What radiates.
            view: One of `VIEWS`.
        """
        spectrum = np.zeros(self._squared.shape, dtype=np.complex128)
        for cloud in gather(posed):
            spectrum += self._spectrum(cloud, view)
        return self._image(spectrum)

    def _spectrum(self, cloud: Posed, view: str) -> npt.NDArray[np.complex128]:
        """Fourier transform of what the detector sees, blurred slab by slab."""
        depth, distance = self._skin.depth(cloud.points, view)
        height = cloud.points[:, 2] / self._scale
        lung = np.interp(height, [1200, 1260, 1380, 1430], [1, 0.68, 0.68, 1])
        weight = cloud.activity * np.exp(-_ATTENUATION * lung * depth)
        row, column = self.pixels(cloud.points, view)
        distance = distance + self._p.gaps_mm[VIEWS.index(view)]
        slab = (distance / _SLAB_MM).astype(np.int64)
        total = np.zeros(self._squared.shape, dtype=np.complex128)
        for n in np.unique(slab):
            here = slab == n
            sharp = self._splat(row[here], column[here], weight[here])
            # The middle of the slab: clouds look the same together and apart.
            sigma = np.hypot(self.sigma_mm((float(n) + 0.5) * _SLAB_MM), cloud.spread_mm)
            total += np.fft.rfft2(sharp) * self._transfer(float(sigma))
        return total

    def sigma_mm(self, distance: float) -> float:
        """Standard deviation of the point spread at a distance from the collimator, mm."""
        collimator = _COLLIMATOR_MM + _COLLIMATOR_SLOPE * distance
        return float(self._p.resolution * np.hypot(_INTRINSIC_MM, collimator) / _FWHM)

    def scattered(self, expected: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(Y, X) the same counts, some of them strewn wide, and a trace from everywhere."""
        spectrum = np.fft.rfft2(np.pad(expected, [(m, m) for m in _MARGIN]))
        strewn = self._image(spectrum * self._transfer(_SCATTER_SIGMA_MM))
        share = self._p.scatter
        trace = 0.004 * expected.sum() / expected.size
        counts: npt.NDArray[np.float64] = (1 - share) * expected + share * strewn + trace
        return counts

    def _transfer(self, sigma_mm: float) -> npt.NDArray[np.float64]:
        sigma = sigma_mm / self._p.pixel_spacing_mm
        transfer: npt.NDArray[np.float64] = np.exp(-0.5 * sigma**2 * self._squared)
        return transfer

    def _image(self, spectrum: npt.NDArray[np.complex128]) -> npt.NDArray[np.float64]:
        image = np.fft.irfft2(spectrum, s=self._grid)
        down, across = _MARGIN
        return np.maximum(image[down:-down, across:-across], 0.0)

    def _splat(self, row: Array, column: Array, weight: Array) -> npt.NDArray[np.float64]:
        """Points shared out between the four pixels round each; those outside are lost."""
        rows, columns = self._grid
        r, c = row + _MARGIN[0], column + _MARGIN[1]
        inside = (r >= 0) & (r < rows - 1) & (c >= 0) & (c < columns - 1)
        r, c, weight = r[inside], c[inside], weight[inside]
        j, i = r.astype(np.int64), c.astype(np.int64)
        v, u = r - j, c - i
        at = j * columns + i
        total = np.zeros(rows * columns)
        for step, share in (
            (0, (1 - v) * (1 - u)),
            (1, (1 - v) * u),
            (columns, v * (1 - u)),
            (columns + 1, v * u),
        ):
            total += np.bincount(at + step, weight * share, minlength=rows * columns)
        return total.reshape(rows, columns)


class _Skin:
    """Front and back of the body over a coarse grid of the couch."""

    def __init__(self, points: Array) -> None:
        self._origin = points[:, [0, 2]].min(axis=0)
        shape = ((points[:, [0, 2]].max(axis=0) - self._origin) / _CELL_MM).astype(int) + 1
        self._shape = (int(shape[0]), int(shape[1]))
        at = self._cells(points)
        front, back = np.full(self._shape, np.inf), np.full(self._shape, -np.inf)
        np.minimum.at(front.reshape(-1), at, points[:, 1])
        np.maximum.at(back.reshape(-1), at, points[:, 1])
        self._front, self._back = front.reshape(-1), back.reshape(-1)
        self._near, self._far = float(points[:, 1].min()), float(points[:, 1].max())

    def depth(self, points: Array, view: str) -> tuple[Array, Array]:
        """(N,) mm of tissue towards the detector, and (N,) mm from the body's foremost point."""
        at = self._cells(points)
        if view == ANTERIOR:
            return np.maximum(points[:, 1] - self._front[at], 0), points[:, 1] - self._near
        return np.maximum(self._back[at] - points[:, 1], 0), self._far - points[:, 1]

    def _cells(self, points: Array) -> npt.NDArray[np.int64]:
        cell = ((points[:, [0, 2]] - self._origin) / _CELL_MM).astype(np.int64)
        flat: npt.NDArray[np.int64] = cell[:, 0] * self._shape[1] + cell[:, 1]
        return flat
