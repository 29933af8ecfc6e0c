"""Scenes of a few ellipses: a patient on a table, of whom every voxel is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from osteoserve_preprocessing.geometry import Geometry, Volume

Mask = npt.NDArray[np.bool_]
PIXEL_MM, SLICE_MM = 1.5, 5.0
ROWS, COLUMNS, SLICES = 260, 320, 14


@dataclass(frozen=True, eq=False)
class Scene:
    """A volume, and which of its voxels are the patient's and which the table's."""

    volume: Volume
    patient: Mask
    table: Mask

    def turned(self, turn: Callable[[npt.NDArray[np.generic]], npt.NDArray[np.generic]]) -> Scene:
        """The same scene with its slices turned; the grid stays canonical."""
        voxels = np.ascontiguousarray(turn(self.volume.voxels))
        z, y, x = self.volume.geometry.spacing
        spacing = (z, x, y) if voxels.shape != self.volume.voxels.shape else (z, y, x)
        return Scene(
            Volume(voxels, Geometry(voxels.shape, spacing)),
            np.ascontiguousarray(turn(self.patient)),
            np.ascontiguousarray(turn(self.table)),
        )

    def cropped(self, rows: slice, columns: slice) -> Scene:
        """The same scene in a smaller field of view."""
        return self.turned(lambda array: array[:, rows, columns])


DrawScene = Callable[..., Scene]


def _ellipse(y: float, x: float, half_height: float, half_width: float) -> Mask:
    """A filled ellipse; all in mm from the image's middle, y to the back."""
    rows = (np.arange(ROWS) - ROWS / 2)[:, None] * PIXEL_MM
    columns = (np.arange(COLUMNS) - COLUMNS / 2)[None, :] * PIXEL_MM
    return ((rows - y) / half_height) ** 2 + ((columns - x) / half_width) ** 2 <= 1


def _limb(slice_: npt.NDArray[np.int16], y: float, x: float, radius: float) -> Mask:
    outline = _ellipse(y, x, radius, radius)
    slice_[outline] = -100
    slice_[_ellipse(y, x, radius - 4, radius - 4)] = 45
    slice_[_ellipse(y, x, radius / 3, radius / 3)] = 900
    return outline


def _trunk(slice_: npt.NDArray[np.int16], x: float) -> Mask:
    outline = _ellipse(-20, x, 100, 150)
    slice_[outline] = -100
    slice_[_ellipse(-20, x, 90, 140)] = 45
    slice_[_ellipse(-35, x - 60, 40, 45)] = -850  # lung
    slice_[_ellipse(40, x, 20, 22)] = 450  # vertebra
    slice_[_ellipse(64, x, 11, 4)] = 600  # spinous process, 5 mm under the skin
    slice_[_ellipse(-20, x - 138, 12, 4)] = 500  # rib
    return outline


def _table(slice_: npt.NDArray[np.int16], kind: str, gap: float) -> Mask:
    """A shell of 300 HU round foam, or a solid board; ``gap`` is its distance from the back, mm."""
    rows = (np.arange(ROWS) - ROWS / 2)[:, None] * PIXEL_MM
    columns = (np.arange(COLUMNS) - COLUMNS / 2)[None, :] * PIXEL_MM
    bend = {"flat": 0.0, "board": 0.0, "curved": 1.0, "double": 1.0}[kind]
    thickness = 12 if kind == "board" else 40
    top = 80 + gap - bend * columns**2 / 900
    inside = (rows >= top) & (rows <= top + thickness) & (np.abs(columns) <= 200)
    core = (rows >= top + 4) & (rows <= top + 36) & (np.abs(columns) <= 196) & (kind != "board")
    shell = inside & ~core
    if kind == "double":
        shell |= core & (rows >= top + 8) & (rows <= top + 11)
    slice_[core & ~shell & (slice_ < -900)] = -930
    slice_[shell] = 300
    return shell


@pytest.fixture(scope="session")
def draw_scene() -> DrawScene:
    """Draws a supine patient: ``draw_scene(table=..., gap_mm=..., arms=..., offset_mm=...)``."""

    def draw(
        *,
        table: str | None = "curved",
        gap_mm: float = 12.0,
        arms: bool = True,
        offset_mm: float = 0.0,
        noise: float = 10.0,
        slices: int = SLICES,
    ) -> Scene:
        slice_ = np.full((ROWS, COLUMNS), -1000, dtype=np.int16)
        shell = np.zeros_like(slice_, dtype=np.bool_)
        if table is not None:
            shell = _table(slice_, table, gap_mm)
        patient = _trunk(slice_, offset_mm)
        if arms:
            patient |= _limb(slice_, 10, offset_mm - 190, 34) | _limb(
                slice_, 10, offset_mm + 190, 34
            )
        voxels = np.repeat(slice_[None], slices, axis=0)
        grain = np.random.default_rng(0).normal(0, noise, voxels.shape)
        voxels = np.clip(voxels + grain, -1024, 3071).astype(np.int16)
        geometry = Geometry(voxels.shape, (SLICE_MM, PIXEL_MM, PIXEL_MM))
        every = (slices, ROWS, COLUMNS)
        return Scene(
            Volume(voxels, geometry),
            np.broadcast_to(patient, every),
            np.broadcast_to(shell & ~patient, every),
        )

    return draw
