"""Which part of the pelvis is left out for the bladder."""

from __future__ import annotations

import numpy as np

from osteoserve_client.bone_scan_index.bladder import bladder_region
from osteoserve_client.phantom.scintigraphy import PhantomScintigraphy, make_scintigraphy_phantom


def test_it_is_the_ellipse_that_is_documented() -> None:
    pelvis = np.zeros((220, 140), bool)
    pelvis[10:210, 20:120] = True  # 200 high, 100 wide
    region = bladder_region(pelvis)
    rows, columns = np.nonzero(region)
    # Middle 58 % down, half-axes 20 % of the height and of the width.
    assert (rows.min(), rows.max()) == (10 + 116 - 40, 10 + 116 + 40 - 1)
    assert (columns.min(), columns.max()) == (70 - 20, 70 + 20 - 1)
    assert abs(region.sum() / (np.pi * 40 * 20) - 1) < 0.01


def test_it_lies_inside_the_pelvis_and_follows_it() -> None:
    rng = np.random.default_rng(3)
    pelvis = np.zeros((90, 70), bool)
    pelvis[20:70, 10:61] = rng.random((50, 51)) < 0.8
    region = bladder_region(pelvis)
    assert region.any()
    assert not (region & ~pelvis).any()
    assert np.array_equal(bladder_region(pelvis[:, ::-1]), region[:, ::-1])
    assert np.array_equal(bladder_region(np.pad(pelvis, 7)), np.pad(region, 7))
    assert not bladder_region(np.zeros((9, 9), bool)).any()


def test_the_urine_of_a_phantom_lies_in_it() -> None:
    phantom = make_scintigraphy_phantom(901)
    assert not phantom.hot_spots["anterior"].any()
    counts, pelvis = phantom.counts["anterior"], phantom.labels["anterior"] == 8
    brightest = pelvis & (counts >= np.quantile(counts[pelvis], 0.99))
    assert (brightest & bladder_region(pelvis)).sum() > 0.9 * brightest.sum()


def test_metastases_of_the_iliac_wings_stay(metastatic: PhantomScintigraphy) -> None:
    pelvis = metastatic.labels["posterior"] == 8
    hot = metastatic.hot_spots["posterior"] & pelvis
    assert (hot & bladder_region(pelvis)).sum() < 0.15 * hot.sum()
