"""Laws of the composed image: nothing moved but whole pixels, sides kept, one scale for both."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from osteoserve_preprocessing.core.scintigram import (
    COLUMNS,
    ROWS,
    VIEW_COLUMNS,
    WHITE,
    compose_views,
)
from osteoserve_preprocessing.errors import ScintigramError

Counts = npt.NDArray[np.uint16]


def body(seed: int = 0, shape: tuple[int, int] = (1024, 256), top: int = 60) -> Counts:
    """Counts of a body 700 rows tall, brighter at its upper left."""
    random = np.random.default_rng(seed)
    counts = np.zeros(shape, np.uint16)
    counts[top : top + 700, 60 : shape[1] - 60] = random.poisson(20, (700, shape[1] - 120))
    counts[top + 10 : top + 20, 70:80] += 40
    return counts


def test_anterior_is_on_the_left_and_posterior_on_the_right() -> None:
    both = compose_views(body(1), body(2)).image
    assert both.shape == (ROWS, COLUMNS)
    assert both.dtype == np.uint8
    front, back = compose_views(body(1), None).image, compose_views(None, body(2)).image
    assert not front[:, VIEW_COLUMNS:].any()
    assert not back[:, :VIEW_COLUMNS].any()
    assert front.any()
    assert back.any()


@pytest.mark.parametrize(
    "shape", [(1024, 256), (950, 256), (900, 256), (1024, 200), (980, 181), (1024, 360)]
)
@pytest.mark.parametrize("view", ["anterior", "posterior"])
def test_every_pixel_is_one_pixel_of_its_view(view: str, shape: tuple[int, int]) -> None:
    counts = body(3, shape)
    composed = compose_views(*((counts, None) if view == "anterior" else (None, counts)))
    grey = np.rint(np.minimum(composed.cut(counts, view) * 255.0 / composed.white, 255))
    assert np.array_equal(composed.image, grey)
    # All of the body is there: what was cut away had no counts.
    assert composed.cut(counts, view).sum() == counts.sum()


@pytest.mark.parametrize("shape", [(1024, 256), (900, 256), (1000, 200), (1024, 360)])
@pytest.mark.parametrize("view", ["anterior", "posterior"])
def test_back_undoes_the_cut(view: str, shape: tuple[int, int]) -> None:
    counts = body(9, shape)
    composed = compose_views(counts, None)
    back = composed.back(composed.cut(counts, view)[None], view, shape)[0]
    rows, columns = (slice(kept.start, kept.stop) for kept in composed.kept(shape))
    assert np.array_equal(back[rows, columns], counts[rows, columns])
    assert back.sum() == back[rows, columns].sum() == counts.sum()


@pytest.mark.parametrize("left", [0, 40, 144])
def test_a_body_aside_in_a_wide_view_stays_whole(left: int) -> None:
    counts = np.zeros((1024, 400), np.uint16)
    counts[:, left : left + 256] = body(10)
    composed = compose_views(counts, None)
    assert composed.cut(counts, "anterior").sum() == counts.sum()


@pytest.mark.parametrize("top", [0, 30, 200, 320])
def test_a_body_anywhere_in_the_view_stays_whole(top: int) -> None:
    counts = body(top=top)
    composed = compose_views(counts, body(5, top=top))
    assert composed.cut(counts, "anterior").sum() == counts.sum()


def test_a_body_that_is_too_long_keeps_its_head() -> None:
    counts = np.full((1024, 256), 9, np.uint16)
    assert compose_views(counts, None).first_row == 0


def test_white_is_quiet_bone_whatever_the_bladder_holds() -> None:
    quiet, hot = body(4), body(4)
    hot[600:630, 110:140] = 6000
    usual, bright = compose_views(quiet, None), compose_views(hot, None)
    assert usual.white == pytest.approx(WHITE * np.percentile(quiet[quiet > 0], 75), rel=0.1)
    assert bright.white == pytest.approx(usual.white, rel=0.1)


def test_empty_rows_and_columns_change_no_grey() -> None:
    counts = body(11)
    padded = np.pad(counts, ((30, 50), (20, 40)))
    plain, wide = compose_views(counts, None), compose_views(padded, None)
    assert wide.white == plain.white
    assert wide.image.sum(dtype=np.int64) == plain.image.sum(dtype=np.int64)


def test_one_scale_for_both_views() -> None:
    counts = body(6)
    composed = compose_views(counts, (counts * 2).astype(np.uint16))
    left, right = np.split(composed.image.astype(float), 2, axis=1)
    shown = (right < 255) & (left > 20)
    assert np.median(right[shown] / left[shown]) == pytest.approx(2.0, abs=0.05)


def test_twice_the_counts_are_the_same_image() -> None:
    counts = (body(7) * 10).astype(np.uint16)
    twice = compose_views((counts * 2).astype(np.uint16), None)
    assert np.array_equal(twice.image, compose_views(counts, None).image)


def test_brightness_scales_grey() -> None:
    counts = body(8)
    plain, brighter = compose_views(counts, None), compose_views(counts, None, brightness=2.5)
    assert brighter.white == pytest.approx(plain.white / 2.5)


@pytest.mark.parametrize(
    ("views", "brightness", "words"),
    [
        ((None, None), 1.0, "needs an anterior or a posterior"),
        ((body(), body(shape=(1000, 256))), 1.0, "one shape"),
        ((np.ones((1024, 300), np.uint16), None), 1.0, "300 columns wide and 256 fit"),
        ((np.zeros((1024, 256), np.uint16), None), 1.0, "no counts"),
        ((body(), None), 0.0, "brightness"),
        ((body(), None), float("nan"), "brightness"),
    ],
)
def test_what_is_no_bone_scan_is_refused(views, brightness, words) -> None:
    with pytest.raises(ScintigramError, match=words):
        compose_views(*views, brightness=brightness)
