from __future__ import annotations

import numpy as np
import pytest

from osteoserve_preprocessing.core.mask_paste import paste_masks

GRID = (60, 44)


def random_detections(count: int, shape: tuple[int, int], seed: int = 0):
    """Boxes as a network clips them, tiny and as large as the grid; smooth masks."""
    random = np.random.default_rng(seed)
    extent = np.array(shape[::-1] * 2, dtype=np.float32)
    corners = random.uniform(-0.1, 1.1, (count, 2, 2)).astype(np.float32)
    corners[::5, 1] = corners[::5, 0] + random.uniform(0, 0.02, (len(corners[::5]), 2))
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).clip(0, 1)
    y, x = np.mgrid[:28, :28] / 27.0
    centres = random.uniform(0.2, 0.8, (count, 2, 1, 1))
    radii = random.uniform(0.1, 0.9, (count, 1, 1))
    distance = np.hypot(y - centres[:, 0], x - centres[:, 1])
    return boxes * extent, (1.0 / (1.0 + np.exp((distance - radii) * 15.0))).astype(np.float32)


def test_a_full_mask_fills_its_box():
    # By hand: with the padding the box is 9..39 and, both corners included, has 31 pixels for 30
    # cells. The outermost pixels are zero; the next lie 0.95 of the way to a cell of one.
    boxes = np.array([[10.5, 20.5, 38.5, 48.5]], dtype=np.float32)
    pasted = paste_masks(boxes, np.ones((1, 28, 28), dtype=np.float32), GRID)
    expected = np.zeros((1, *GRID), dtype=bool)
    expected[0, 20:49, 10:39] = True
    np.testing.assert_array_equal(pasted, expected)


def test_rows_are_rows():
    masks = np.zeros((1, 28, 28), dtype=np.float32)
    masks[0, :14] = 1.0
    pasted = paste_masks(np.array([[0.0, 0.0, 28.0, 56.0]], dtype=np.float32), masks, GRID)[0]
    rows, columns = np.nonzero(pasted)
    assert rows.max() in (27, 28)
    assert columns.max() in (27, 28)
    assert pasted[:27, :27].all()


def test_what_lies_outside_the_grid_is_left_out():
    boxes = np.array([[-14, -14, 14, 14], [-90, -90, -50, -50], [100, 0, 120, 9]], dtype=np.float32)
    pasted = paste_masks(boxes, np.ones((3, 28, 28), dtype=np.float32), GRID)
    assert pasted[0, :14, :14].all()
    assert not pasted[0, 15:].any()
    assert not pasted[1:].any()


def test_nothing_pasted_is_nothing():
    empty = paste_masks(np.zeros((0, 4), np.float32), np.zeros((0, 28, 28), np.float32), GRID)
    assert empty.shape == (0, *GRID)


@pytest.mark.parametrize(("down", "right"), [(0, 1), (7, 0), (12, 31)])
def test_a_shift_by_whole_pixels_shifts_the_mask(down, right):
    boxes, masks = random_detections(40, GRID)
    # Corners are cut towards zero, so only boxes that begin well inside the grid shift alike.
    boxes = boxes + np.float32(20.3)
    here = paste_masks(boxes, masks, (120, 120))
    there = paste_masks(boxes + np.array([right, down] * 2, dtype=np.float32), masks, (160, 160))
    np.testing.assert_array_equal(there[:, down : 120 + down, right : 120 + right], here)


def test_each_detection_is_pasted_for_itself():
    boxes, masks = random_detections(20, GRID)
    together = paste_masks(boxes, masks, GRID)
    for n in range(20):
        np.testing.assert_array_equal(
            paste_masks(boxes[n : n + 1], masks[n : n + 1], GRID)[0], together[n]
        )


@pytest.mark.parametrize("wrong", [(3, 28, 28), (2, 28, 27)])
def test_masks_of_other_boxes_are_refused(wrong):
    with pytest.raises(ValueError, match="do not belong together"):
        paste_masks(np.zeros((2, 4), np.float32), np.zeros(wrong, np.float32), GRID)


def test_a_box_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        paste_masks(np.full((1, 4), np.nan, np.float32), np.zeros((1, 28, 28), np.float32), GRID)


@pytest.mark.parametrize(("shape", "count"), [((60, 44), 200), ((950, 512), 30)])
def test_it_pastes_as_torchvision_does(shape, count):
    torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")
    roi_heads = pytest.importorskip("torchvision.models.detection.roi_heads")
    boxes, masks = random_detections(count, shape)
    theirs = roi_heads.paste_masks_in_image(
        torch.from_numpy(masks)[:, None], torch.from_numpy(boxes), shape
    )[:, 0]
    ours = paste_masks(boxes, masks, shape)
    differing = ours != (theirs > 0.5).numpy()
    assert ours.any(axis=(1, 2)).mean() > 0.7
    # Products are summed in another order: a pixel may fall otherwise where it is 0.5 but for that.
    assert np.abs(theirs.numpy()[differing] - 0.5).max(initial=0.0) < 1e-5
    assert differing.mean() < 1e-5
