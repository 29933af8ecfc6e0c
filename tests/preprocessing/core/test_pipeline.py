from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from osteoserve_preprocessing.core import (
    Normalisation,
    PreprocessingOptions,
    StretcherMethod,
    Window,
    canonical_orientation,
    preprocess,
)
from osteoserve_preprocessing.errors import GeometryError, VoxelError
from osteoserve_preprocessing.geometry import Geometry, Volume


def test_table_is_background_and_the_rest_is_windowed(draw_scene: Any) -> None:
    scene = draw_scene(table="flat")
    done = preprocess(scene.volume, PreprocessingOptions())
    exact = np.floor(255.0 * scene.volume.voxels.clip(0, 300) / 300 + 0.5)
    assert done.slices.dtype == np.uint8
    assert np.array_equal(done.slices, np.where(done.stretcher_mask.whole(), 0, exact))
    bright = scene.table & (scene.volume.voxels > 98)
    assert (done.slices[bright] == 0).mean() >= 0.99
    assert done.clip == range(len(scene.volume.voxels))
    assert (done.stretcher.method, done.warnings) == (StretcherMethod.BODY, ())
    assert done.geometry is scene.volume.geometry


def test_options_are_carried_out_and_reported(draw_scene: Any) -> None:
    scene = draw_scene(noise=0.0)
    options = PreprocessingOptions(
        stretcher=StretcherMethod.NONE,
        window=Window(-100, 900),
        normalisation=Normalisation.INPATIENT,
    )
    done = preprocess(scene.volume, options)
    assert not done.stretcher_mask.whole().any()
    assert (done.window, done.normalisation) == (Window(-100, 900), Normalisation.INPATIENT)
    assert done.slices[scene.volume.voxels == 900].min() == 255
    assert done.slices[scene.volume.voxels == -100].max() == 0


def test_clipped_slices_are_black_and_warnings_come_through(draw_scene: Any) -> None:
    scene = draw_scene()
    done = preprocess(scene.volume, PreprocessingOptions(clip_femur_to_head=True))
    assert any("no head" in warning for warning in done.warnings)
    outside = np.ones(len(done.slices), dtype=bool)
    outside[done.clip.start : done.clip.stop] = False
    assert not done.slices[outside].any()


def test_the_input_is_not_changed(draw_scene: Any) -> None:
    volume = draw_scene().volume
    before = volume.voxels.copy()
    volume.voxels.flags.writeable = False
    preprocess(volume, PreprocessingOptions())
    assert np.array_equal(volume.voxels, before)


@pytest.mark.parametrize("flips", [(-1, 1, 1), (1, -1, -1), (-1, -1, 1)])
def test_how_a_study_was_stored_does_not_matter(
    draw_scene: Any, flips: tuple[int, int, int]
) -> None:
    volume = draw_scene(slices=6).volume
    z, y, x = flips
    stored = Volume(
        np.ascontiguousarray(volume.voxels[::z, ::y, ::x]),
        Geometry(volume.geometry.shape, volume.geometry.spacing, (0, 0, 0), np.diag([x, y, z])),
    )
    orientation = canonical_orientation(stored.geometry)
    done = preprocess(orientation.volume(stored), PreprocessingOptions())
    expected = preprocess(volume, PreprocessingOptions())
    assert np.array_equal(done.slices, expected.slices)
    assert np.array_equal(orientation.restore(done.slices), expected.slices[::z, ::y, ::x])


def test_a_volume_that_is_not_canonical_is_refused(draw_scene: Any) -> None:
    volume = draw_scene(slices=2).volume
    flipped = Geometry(
        volume.geometry.shape, volume.geometry.spacing, (0, 0, 0), np.diag([-1, -1, 1])
    )
    with pytest.raises(GeometryError, match="canonical"):
        preprocess(Volume(volume.voxels, flipped), PreprocessingOptions())


def test_what_is_no_ct_is_refused(draw_scene: Any) -> None:
    volume = draw_scene(slices=2).volume
    shifted = Volume((volume.voxels + 1024).astype(np.int16), volume.geometry)
    with pytest.raises(VoxelError, match="intercept"):
        preprocess(shifted, PreprocessingOptions())


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("method", StretcherMethod)
def test_voxels_of_next_to_nothing_are_refused(axis: int, method: StretcherMethod) -> None:
    """Found by fuzzing: cells of 2 mm took 64 TiB."""
    voxels = np.full((3, 24, 24), -1000, dtype=np.int16)
    spacing = [1.0, 1.0, 1.0]
    spacing[axis] = 1e-12
    volume = Volume(voxels, Geometry(voxels.shape, (spacing[0], spacing[1], spacing[2])))
    with pytest.raises(GeometryError, match="at least"):
        preprocess(volume, PreprocessingOptions(stretcher=method))
