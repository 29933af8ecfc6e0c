"""Laws of the samples: masks, boxes and labels belong together, and sides follow a mirror."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from osteoserve_export.training.scintigraphy.augmentation import (  # noqa: E402
    MIRRORED,
    ViewAugmentation,
    draw_sample,
)
from osteoserve_export.training.scintigraphy.pairs import (  # noqa: E402
    REGIONS,
    ScintigraphyPair,
    read_scintigraphy_pair,
)

STILL = ViewAugmentation(
    rotation_deg=0.0,
    scale=(1.0, 1.0),
    stretch=0.0,
    shift=(0.0, 0.0),
    brightness=(1.0, 1.0),
    mirrored=0.0,
    one_view=0.0,
    smoothed=0.0,
)


@pytest.fixture(scope="module")
def pair(scan: Path) -> ScintigraphyPair:
    return read_scintigraphy_pair(scan)


def test_boxes_are_the_edges_of_masks(pair: ScintigraphyPair) -> None:
    random = np.random.default_rng(1)
    for _ in range(4):
        sample = draw_sample(pair, ViewAugmentation(), random)
        assert len(sample.boxes) == len(sample.labels) == len(sample.masks) > 8
        for (x1, y1, x2, y2), mask in zip(sample.boxes.int().tolist(), sample.masks, strict=True):
            assert mask[y1:y2, x1:x2].sum() == mask.sum()
            assert mask[y1].any()
            assert mask[y2 - 1].any()
            assert mask[:, x1].any()
            assert mask[:, x2 - 1].any()
        assert 0 <= float(sample.image.min()) <= float(sample.image.max()) <= 1


def test_nothing_changes_where_nothing_may(pair: ScintigraphyPair) -> None:
    sample = draw_sample(pair, STILL, np.random.default_rng(2))
    expected = [label for view in ("anterior", "posterior") for label in pair.labels[view]]
    assert sample.labels.tolist() == expected
    for view, half in (("anterior", slice(0, 256)), ("posterior", slice(256, 512))):
        whole = sample.masks.sum(dim=0)[:, half].sum()
        assert int(whole) == (pair.instances[view] > 0).sum()


def test_a_mirror_changes_sides_and_nothing_else(pair: ScintigraphyPair) -> None:
    still = draw_sample(pair, STILL, np.random.default_rng(3))
    mirrored = draw_sample(pair, replace(STILL, mirrored=1.0), np.random.default_rng(3))
    assert mirrored.labels.tolist() == [MIRRORED[label] for label in still.labels.tolist()]
    left, right = still.masks.split(256, dim=2)
    assert torch.equal(mirrored.masks, torch.cat([left.flip(2), right.flip(2)], dim=2))
    right_humerus = REGIONS.index("anterior_right_humerus") + 1
    assert REGIONS[MIRRORED[right_humerus] - 1] == "anterior_left_humerus"
    assert all(MIRRORED[MIRRORED[label]] == label for label in MIRRORED)


def test_a_missing_view_has_no_instances(pair: ScintigraphyPair) -> None:
    halves = set()
    for seed in range(6):
        options = replace(ViewAugmentation(), one_view=1.0)
        sample = draw_sample(pair, options, np.random.default_rng(seed))
        empty = [not half.any() for half in sample.image.split(256, dim=2)]
        assert sum(empty) == 1
        assert not sample.masks.split(256, dim=2)[empty.index(True)].any()
        halves.add(empty.index(True))
    assert halves == {0, 1}


def test_the_same_seed_draws_the_same_sample(pair: ScintigraphyPair) -> None:
    first, again, other = (
        draw_sample(pair, ViewAugmentation(), np.random.default_rng(seed)) for seed in (4, 4, 5)
    )
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.masks, again.masks)
    assert not torch.equal(first.image, other.image)
