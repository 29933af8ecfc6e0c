from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from osteoserve_export.errors import ParityError
from osteoserve_export.parity.detections import (
    DetectionLimits,
    box_iou,
    check_detections,
    match_detections,
)
from osteoserve_preprocessing.inference import Detections


def detections(count: int = 60, seed: int = 0) -> Detections:
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 400, (count, 2))
    boxes = np.concatenate([corner, corner + random.uniform(10, 100, (count, 2))], axis=1)
    return Detections(
        boxes.astype(np.float32),
        random.integers(1, 5, count),
        np.sort(random.uniform(0.05, 1, count))[::-1].astype(np.float32),
        random.uniform(0, 1, (count, 28, 28)).astype(np.float32),
    )


def taken(given: Detections, index) -> Detections:
    return Detections(
        given.boxes[index], given.labels[index], given.scores[index], given.masks[index]
    )


def test_overlap_by_hand():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 0, 0]], dtype=np.float32)
    others = np.array([[5, 0, 15, 10], [0, 0, 10, 10], [20, 20, 30, 30]], dtype=np.float32)
    np.testing.assert_allclose(box_iou(boxes, others), [[1 / 3, 1, 0], [0, 0, 0]])


@pytest.mark.parametrize("seed", range(4))
def test_order_does_not_matter(seed):
    given = detections(seed=seed)
    shuffled = taken(given, np.random.default_rng(seed).permutation(len(given)))
    agreement = match_detections([given], [shuffled])
    assert agreement.rate == 1.0
    assert (agreement.score_error, agreement.least_iou, agreement.mean_dice) == (0.0, 1.0, 1.0)
    check_detections(agreement, "runtime")


def test_what_is_missing_is_named():
    given = detections(100)
    agreement = match_detections([given, given], [given, taken(given, slice(3, None))])
    assert (agreement.expected, agreement.found, agreement.matched) == (200, 197, 197)
    x1, y1 = np.round(given.boxes[0, :2]).astype(int)
    assert agreement.lone[0].startswith(
        f"image 1: not found: label {given.labels[0]} at {x1}, {y1} to"
    )
    with pytest.raises(ParityError, match=r"ORT: 197 of 200 .*98\.5%, needed: 99%.*image 1"):
        check_detections(agreement, "ORT")


def test_what_is_found_besides_counts_as_well():
    given = detections(100)
    agreement = match_detections([taken(given, slice(2, None))], [given], names=["anterior"])
    assert agreement.rate == 0.98
    assert agreement.lone[0].startswith("anterior: found besides: label")


def test_the_matching_is_one_to_one():
    one = taken(detections(), [0])
    doubled = taken(detections(), [0, 0])
    agreement = match_detections([one], [doubled])
    assert (agreement.matched, agreement.rate) == (1, 0.5)


def test_another_label_is_no_match():
    given = detections()
    other = dataclasses.replace(given, labels=given.labels % 4 + 1)
    assert match_detections([given], [other]).matched == 0


def test_another_image_is_no_match():
    first, second = detections(seed=1), detections(seed=2)
    assert match_detections([first, second], [second, first]).rate < 0.1


@pytest.mark.parametrize(("shift", "matched"), [(0.5, 30), (8.0, 0)])
def test_a_shift_is_measured(shift, matched):
    random = np.random.default_rng(0)
    corner = np.arange(30).reshape(-1, 1) * 100.0 + random.uniform(0, 1, (30, 2))
    boxes = np.concatenate([corner, corner + 50.0], axis=1).astype(np.float32)
    given = dataclasses.replace(detections(30), boxes=boxes)
    moved = dataclasses.replace(given, boxes=boxes + np.float32([shift, 0, shift, 0]))
    agreement = match_detections([given], [moved])
    assert agreement.matched == matched
    if matched:
        # 49.5 of 50.5 columns are common.
        assert agreement.least_iou == pytest.approx(49.5 / 50.5, abs=1e-4)


def test_scores_and_masks_are_compared():
    given = detections()
    scored = dataclasses.replace(given, scores=given.scores + np.float32(0.03))
    with pytest.raises(ParityError, match=r"a score differs by 0\.03"):
        check_detections(match_detections([given], [scored]), "ORT")
    masked = dataclasses.replace(given, masks=given.masks[:, ::-1])
    with pytest.raises(ParityError, match="masks agree to a mean Dice of 0"):
        check_detections(match_detections([given], [masked]), "ORT")


def test_nothing_proves_nothing():
    none = taken(detections(), slice(0, 0))
    agreement = match_detections([none], [none])
    assert agreement.rate == 1.0
    with pytest.raises(ParityError, match="no proof"):
        check_detections(agreement, "ORT")


def test_limits_can_be_wider():
    given = detections(100)
    agreement = match_detections([given], [taken(given, slice(5, None))])
    check_detections(agreement, "ORT", DetectionLimits(rate=0.95))


def test_all_images_must_be_answered():
    with pytest.raises(ParityError, match="1 images were answered, not 2"):
        match_detections([detections()] * 2, [detections()])
