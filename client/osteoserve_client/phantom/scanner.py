"""What the scanner adds: point spread, correlated noise, shading, streaks, the circle, int16."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from osteoserve_client.phantom.canvas import Array
from osteoserve_client.phantom.parameters import PhantomParameters

#: What a CT with 12 bits stored and intercept -1024 can hold.
LOWEST_HU, HIGHEST_HU = -1024, 3071
TILE = 512


def _correlated(rng: np.random.Generator, low: float, high: float, across: float = 1.0) -> Array:
    """A periodic (TILE, TILE) tile of noise with unit variance.

    Its power lies between the wavelengths `high` and `low`, in pixels; `across` stretches it
    along x.
    """
    spectrum = np.fft.rfft2(rng.standard_normal((TILE, TILE)))
    fy, fx = np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None, :] * across
    f = np.hypot(fx, fy)
    shape = np.exp(-np.square(f * high)) * (1 - np.exp(-np.square(f * low)))
    tile = np.fft.irfft2(spectrum * shape, s=(TILE, TILE))
    scaled: Array = (tile / tile.std()).astype(np.float32)
    return scaled


class NoiseTiles:
    """Periodic tiles of noise, cut at offsets that a key decides.

    Noise differs from slice to slice, textures of tissue move slowly with z; neither depends
    on how many slices there are.
    """

    def __init__(self, seed: int, rows: int, columns: int, pixel_mm: float) -> None:
        rng = np.random.default_rng([seed, 61])
        self._seed, self._shape = seed, (rows, columns)
        # Filtered back projection: little power at low frequencies, a peak near 0.3 / mm.
        wave = 1 / pixel_mm
        self.noise = [self._wrapped(_correlated(rng, 5 * wave, 0.75 * wave)) for _ in range(2)]
        self.streaks = self._wrapped(_correlated(rng, 8, 0.9 * wave, across=0.06))
        self.texture = self._wrapped(_correlated(rng, 1e3, 1.3 * wave))
        self.strands = self._wrapped(_correlated(rng, 110 * wave, 20 * wave))
        self.planes = self._wrapped(_correlated(rng, 240 * wave, 38 * wave))

    def cut(self, tile: Array, row: int, column: int) -> Array:
        """(rows, columns) of a tile, starting at (row, column) modulo its period."""
        rows, columns = self._shape
        row, column = row % TILE, column % TILE
        return tile[row : row + rows, column : column + columns]

    def _wrapped(self, tile: Array) -> Array:
        """The tile continued far enough to cut a slice from it anywhere."""
        rows, columns = self._shape
        return np.pad(tile, ((0, rows), (0, columns)), mode="wrap")

    def tissue(self, z_mm: float) -> tuple[Array, Array, Array]:
        """Texture, strands and planes of the slice at z: neighbours 1 mm apart look alike."""
        step = round(z_mm * 1.5)
        return (
            self.cut(self.texture, step, step // 2),
            self.cut(self.strands, -step // 2, step // 3),
            self.cut(self.planes, step // 3, -step // 3),
        )

    def of_slice(self, z_mm: float) -> tuple[Array, Array]:
        """Quantum noise and horizontal streaks of the slice at z, unit variance."""
        rng = np.random.default_rng([self._seed, 67, round(z_mm * 100) & 0xFFFFFFFF])
        a, b, c, d, e, f = (int(v) for v in rng.integers(0, TILE, 6))
        turn = float(rng.uniform(0, np.pi / 2))
        noise = np.cos(turn) * self.cut(self.noise[0], a, b)
        noise = noise + np.sin(turn) * self.cut(self.noise[1], c, d)
        return noise.astype(np.float32), self.cut(self.streaks, e, f)


class Scanner:
    """Turns a painted slice into what a scanner would have reconstructed."""

    def __init__(
        self,
        parameters: PhantomParameters,
        columns_mm: npt.NDArray[np.float64],
        rows_mm: npt.NDArray[np.float64],
        pixel_mm: float,
        tiles: NoiseTiles,
    ) -> None:
        rng = np.random.default_rng([parameters.seed, 71])
        self._seed = parameters.seed
        self._noise_hu, self._padding = parameters.noise_hu, parameters.padding_hu
        sigma = parameters.blur_mm / pixel_mm
        # Three taps carry a variance of at most 2/3 of a pixel squared.
        self._tap = np.float32(min(0.3, sigma * sigma / 2))
        self._tiles = tiles
        x, y = np.meshgrid(columns_mm, rows_mm)
        reach = np.hypot(x - columns_mm.mean(), y - rows_mm.mean())
        field = (columns_mm[-1] - columns_mm[0] + pixel_mm) / 2
        self._outside = reach > field
        shade = np.cos(x / 190 + rng.uniform(0, 6)) * np.cos(y / 160 + rng.uniform(0, 6))
        self._shade = (float(rng.normal(0, 4)) * shade).astype(np.float32)
        middle = np.exp(-np.square(reach / (0.55 * field)))
        self._level = (self._noise_hu * (0.55 + 0.75 * middle)).astype(np.float32)
        self._columns_mm, self._rows_mm = columns_mm, rows_mm

    @property
    def outside(self) -> npt.NDArray[np.bool_]:
        """(Y, X) True outside the circular field of view; all False without a circle."""
        return self._outside if self._padding is not None else np.zeros_like(self._outside)

    def acquire(self, hu: Array, z_mm: float, metal: Array | None) -> npt.NDArray[np.int16]:
        """The reconstructed slice.

        Args:
            hu: (Y, X) float32 painted HU; changed in place.
            z_mm: Height of the slice, the key of its noise.
            metal: (Y, X) coverage by metal, or None.

        Returns:
            (Y, X) int16, HU.
        """
        wide = np.count_nonzero(hu > -300, axis=1) / hu.shape[1]
        bone = np.count_nonzero(hu > 600, axis=1) / hu.shape[1]
        if metal is not None:
            hu += self._metal_streaks(metal)
        _blur(hu, self._tap)
        noise, streaks = self._tiles.of_slice(z_mm)
        hu += self._shade * (hu > -500)
        hu += noise * self._level * np.where(hu > -500, np.float32(1), np.float32(0.6))
        # Long paths through bone and breadth (shoulders, hips) starve the detector along x.
        starved = np.clip(wide - 0.55, 0, 1) * 1.2 + np.clip(bone - 0.05, 0, 1) * 5
        hu += streaks * (self._noise_hu * starved.astype(np.float32))[:, None]
        np.clip(hu, LOWEST_HU, HIGHEST_HU, out=hu)
        out = np.rint(hu).astype(np.int16)
        if self._padding is not None:
            out[self._outside] = self._padding
        return out

    def _metal_streaks(self, metal: Array) -> Array:
        """Rays of dark and bright that leave the metal's middle."""
        weight = float(metal.sum())
        cx = float((metal.sum(axis=0) @ self._columns_mm) / weight)
        cy = float((metal.sum(axis=1) @ self._rows_mm) / weight)
        x = (self._columns_mm - cx).astype(np.float32)[None, :]
        y = (self._rows_mm - cy).astype(np.float32)[:, None]
        angle, reach = np.arctan2(y, x), np.hypot(x, y)
        # Odd and even multiples of the angle: bright and dark bands of uneven width.
        rng = np.random.default_rng([self._seed, 83])
        rays = np.zeros_like(angle)
        for n in (2, 5, 9, 17, 26, 39):
            rays += np.float32(rng.uniform(0.3, 1)) * np.sin(n * angle + rng.uniform(0, 6.28))
        size = np.float32(min(150.0, 9 * np.sqrt(weight)))
        fade = np.exp(-reach / np.float32(60)) * (reach > 4)
        streaks: Array = (size * rays * fade * (metal < 0.5)).astype(np.float32)
        return streaks


def _blur(hu: Array, tap: np.float32) -> None:
    """Three-tap blur along both axes, in place."""
    for a in (hu, hu.T):
        inner = a[1:-1] * (1 - 2 * tap) + tap * (a[:-2] + a[2:])
        a[1:-1] = inner
