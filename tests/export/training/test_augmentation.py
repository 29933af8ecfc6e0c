from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from osteoserve_export.training.augmentation import AugmentationOptions, augment, to_grey  # noqa: E402
from osteoserve_export.training.sampling import CropOptions, CropSource, draw_crops  # noqa: E402
from osteoserve_preprocessing.core import (  # noqa: E402
    PreprocessingOptions,
    StretcherMethod,
    Window,
    preprocess,
)
from tests.export.conftest import tube_pair  # noqa: E402

SMALL = CropOptions(size=64)
PATIENT = {"classes": ("patient", "bone"), "window": Window(-300, 700)}
PLAIN = CropOptions(
    size=80,
    spacing_mm=(1.0, 1.0),
    stretch=0.0,
    shear=0.0,
    rotation_deg=0.0,
    any_rotation=0.0,
    tilt_deg=0.0,
    left_right=0.0,
    prone=0.0,
    deformation_mm=0.0,
)
NOTHING = AugmentationOptions(
    contrast=0.0,
    density=0.0,
    vessels=0.0,
    calibration=0.0,
    coarse=0.0,
    blur=0.0,
    sharpen=0.0,
    noise=0.0,
    streaks=0.0,
    mixup=0.0,
    patch=0.0,
)


def crops(count: int = 8, options: CropOptions = SMALL, seed: int = 0, seen=None, **pair):
    source = CropSource(tube_pair(**pair), 1.0, **(seen or {}))
    return draw_crops([source], count, options, np.random.default_rng(seed))


def test_image_and_target_stay_aligned_whatever_the_crop():
    drawn = crops(24)
    inside = drawn.known > 0
    # Bone is 700 HU, water 40 and air -1000: beyond the pixels at an edge HU decides.
    clear_bone = (drawn.hounsfield > 600) & inside
    clear_rest = (drawn.hounsfield < 100) & inside
    assert drawn.target[clear_bone].mean() > 0.999
    assert drawn.target[clear_rest].mean() < 0.001
    assert clear_bone.sum() > 500


def test_regions_stay_nested_and_aligned_whatever_the_crop():
    drawn = crops(24, seen=PATIENT)
    patient, bone = drawn.target[:, :1], drawn.target[:, 1:]
    assert (bone <= patient).all()
    inside = drawn.known > 0
    # Of a linear mixture with air, -480 HU is the middle of the skin.
    assert patient[(drawn.hounsfield > 0) & inside].mean() > 0.995
    assert patient[(drawn.hounsfield < -590) & inside].mean() < 0.005
    assert bone[(drawn.hounsfield > 600) & inside].mean() > 0.999


def test_more_classes_change_no_crop_of_bone():
    alone, nested = crops(8), crops(8, seen={**PATIENT, "window": Window()})
    assert torch.equal(alone.hounsfield, nested.hounsfield)
    assert torch.equal(alone.target, nested.target[:, 1:])
    assert torch.equal(alone.known, nested.known)


@pytest.mark.parametrize("window", [Window(), Window(-300, 700), Window(-1000, 1000)])
def test_outside_of_the_study_it_is_as_dark_as_the_service_pads(window):
    source = CropSource(tube_pair(), 1.0, window=window)
    options = CropOptions(size=64, spacing_mm=(4.0, 4.0), tilt_deg=0.0)
    drawn = draw_crops([source], 4, options, np.random.default_rng(0))
    assert (to_grey(drawn.hounsfield, window)[..., :3, :3] == 0).all()
    assert (drawn.known[..., :3, :3] == 0).all()


def test_outside_of_the_study_nothing_is_known():
    # Crops of 2 mm pixels reach beyond a study of 80 mm.
    drawn = crops(4, CropOptions(size=64, spacing_mm=(2.0, 2.0)))
    assert (drawn.known == 0).float().mean() > 0.2


def test_ignored_voxels_are_not_known():
    drawn = crops(16, ignored=True)
    assert ((drawn.known == 0) & (drawn.hounsfield == 40)).any()


def test_the_same_seed_gives_the_same_batch():
    window = Window()
    batches = [
        augment(crops(seed=5), AugmentationOptions(), window, np.random.default_rng(6))
        for _ in range(2)
    ]
    assert torch.equal(batches[0].grey, batches[1].grey)
    assert torch.equal(batches[0].target, batches[1].target)


def test_without_augmentation_the_network_sees_what_the_service_sends():
    pair = tube_pair(slices=1)
    served = preprocess(pair.volume, PreprocessingOptions(stretcher=StretcherMethod.NONE)).slices
    grey = to_grey(torch.from_numpy(pair.volume.voxels.astype(np.float32)), Window())
    assert np.array_equal((grey * 255).round().numpy().astype(np.uint8), served)


@pytest.mark.parametrize("window", [Window(), Window(-100, 900)])
def test_every_hounsfield_unit_becomes_the_service_s_grey_value(window):
    from osteoserve_preprocessing.core.intensity import grey_table

    hounsfield = np.arange(-1024, 2000, dtype=np.int16)
    grey = to_grey(torch.from_numpy(hounsfield.astype(np.float32)), window) * 255
    table = grey_table(window.lower, window.upper)
    assert np.array_equal(grey.round().numpy().astype(np.uint8), table[hounsfield.view(np.uint16)])


def test_grey_values_stay_what_uint8_can_hold():
    batch = augment(crops(), AugmentationOptions(), Window(), np.random.default_rng(0))
    levels = batch.grey * 255
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-3)
    assert 0 <= float(batch.grey.min()) <= float(batch.grey.max()) <= 1


@pytest.mark.parametrize("seen", [None, PATIENT])
def test_changing_the_look_leaves_the_target_alone(seen):
    drawn = crops(seen=seen)
    look = AugmentationOptions(mixup=0.0, patch=0.0, contrast=1.0, vessels=1.0, noise=1.0)
    batch = augment(drawn, look, Window(), np.random.default_rng(0))
    assert torch.equal(batch.target, drawn.target)
    assert torch.equal(batch.known, drawn.known)
    assert not torch.equal(batch.grey, to_grey(drawn.hounsfield, Window()))


def test_vessels_do_not_touch_bone():
    drawn = crops(16)
    only_vessels = AugmentationOptions(
        **{**vars(NOTHING), "vessels": 1.0, "vessel_hu": (250.0, 300.0)}
    )
    batch = augment(drawn, only_vessels, Window(), np.random.default_rng(1))
    plain = to_grey(drawn.hounsfield, Window())
    bone = drawn.target > 0
    assert torch.equal(batch.grey[bone], plain[bone])
    assert (batch.grey[~bone] > plain[~bone]).any()


def test_full_strength_changes_nothing_and_none_leaves_crops_upright():
    assert AugmentationOptions().milder(1.0) == AugmentationOptions()
    assert CropOptions().milder(1.0).spacing_mm == pytest.approx(CropOptions().spacing_mm)
    upright = CropOptions().milder(0.0)
    assert upright.spacing_mm[0] == pytest.approx(upright.spacing_mm[1])
    assert upright.tilt_deg == upright.rotation_deg == upright.deformation_mm == 0.0
    assert AugmentationOptions().milder(0.0).vessels == 0.0


def test_mixup_and_patches_leave_regions_nested():
    options = AugmentationOptions(mixup=1.0, patch=1.0)
    drawn = crops(16, seen=PATIENT)
    target = augment(drawn, options, PATIENT["window"], np.random.default_rng(4)).target
    assert ((target > 0) & (target < 1)).any()
    assert (target[:, 1] <= target[:, 0] + 1e-6).all()


def test_mixup_blends_image_and_target_alike():
    drawn = crops(16, PLAIN)
    options = AugmentationOptions(**{**vars(NOTHING), "mixup": 1.0})
    batch = augment(drawn, options, Window(), np.random.default_rng(2))
    blended = (batch.target > 0.05) & (batch.target < 0.95) & (batch.known > 0)
    assert blended.any()
    # White bone over water (grey 34 of 255): the share of white is the target.
    water = 34 / 255
    share = (batch.grey[blended] - water) / (1 - water)
    close = (share - batch.target[blended]).abs() < 0.15
    assert close.float().mean() > 0.5
