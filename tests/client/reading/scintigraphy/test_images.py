"""PNG and TIFF images: the view is the one that was said, the counts are the grey values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import osteoserve_client.errors as errors
from osteoserve_client.reading import read_scintigram
from osteoserve_client.reading.scintigraphy.assembly import SIDES_ASSUMED
from osteoserve_client.reading.scintigraphy.images import AREAS_UNKNOWN, COLOUR, GREY
from osteoserve_client.scintigram import VIEWS
from tests.client.reading.conftest import Refuses

SUFFIXES = (".png", ".tif", ".tiff")


def body(dtype: type = np.uint16) -> np.ndarray:
    """A bright block off the middle, in air."""
    image = np.zeros((40, 12), dtype)
    image[4:20, 2:7] = 90
    return image


def save(path: Path, *pages: np.ndarray, **options: object) -> Path:
    first, *others = (Image.fromarray(page) for page in pages)
    more = {"save_all": True, "append_images": others} if others else {}
    first.save(path, **more, **options)
    return path


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
@given(
    inner=arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(*[st.integers(2, 12)] * 2),
        fill=st.just(1),
    ).filter(np.any),
    suffix=st.sampled_from(SUFFIXES),
    view=st.sampled_from(VIEWS),
)
def test_grey_values_come_back_as_counts(tmp_path: Path, inner, suffix: str, view: str) -> None:
    image = np.pad(inner, 1)

    scan = read_scintigram(save(tmp_path / f"scan{suffix}", image), view=view)

    assert [each.view for each in scan.views] == [view]
    assert np.array_equal(scan[view].counts, image)
    assert (scan.source, scan.pixel_spacing_mm, scan.datasets) == ("image", None, ())
    assert scan.stored_shapes == (image.shape,)
    assert {SIDES_ASSUMED, AREAS_UNKNOWN} <= set(scan.warnings)
    assert (GREY in scan.warnings) == (image.dtype == np.uint8)
    assert scan.description["total_counts"] == {view: int(image.sum(dtype=np.int64))}


@pytest.mark.parametrize("order", [VIEWS, VIEWS[::-1]])
def test_a_page_for_each_view(tmp_path: Path, order) -> None:
    pages = {order[0]: body(), order[1]: 2 * body()}

    path = save(tmp_path / "scan.tif", *pages.values())
    scan = read_scintigram(path, view=",".join(order))

    assert [view.view for view in scan.views] == list(VIEWS)
    for view in scan.views:
        assert np.array_equal(view.counts, pages[view.view])
        assert view.frame == order.index(view.view) + 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_views_side_by_side(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"scan{suffix}", np.hstack([body(), 2 * body()]))

    scan = read_scintigram(path, view="posterior,anterior")

    assert np.array_equal(scan["posterior"].counts, body())
    assert np.array_equal(scan["anterior"].counts, 2 * body())
    assert [view.first_column for view in scan.views] == [12, 0]


def test_grey_in_three_channels(tmp_path: Path, refuses_scan: Refuses) -> None:
    grey = np.repeat(body(np.uint8)[..., None], 3, axis=2)

    scan = read_scintigram(save(tmp_path / "scan.png", grey), view="anterior")
    assert np.array_equal(scan["anterior"].counts, body())
    assert COLOUR in scan.warnings

    grey[5, 5, 0] += 1
    path = save(tmp_path / "colour.png", grey)
    refuses_scan(path, errors.PixelFormatError, "colour image", view="anterior")


def other_mode(mode: str):
    return lambda path: Image.fromarray(body(np.uint8)).convert(mode).save(path)


@pytest.mark.parametrize(
    ("write", "view", "error", "words"),
    [
        (lambda p: save(p, body()), None, errors.ViewChoiceError, "--view anterior or"),
        (lambda p: save(p, body()), "front", errors.UsageError, "choose one of"),
        (lambda p: save(p, body(), body()), "anterior", errors.ViewError, "2 frames"),
        (lambda p: save(p, *[body()] * 3), "anterior,posterior", errors.ViewError, "more pages"),
        (
            lambda p: save(p, body(), body()[:30]),
            "anterior,posterior",
            errors.InconsistentViewsError,
            "page 1 (40x12) and it.tif, page 2 (30x12)",
        ),
        (lambda p: save(p, 0 * body()), "anterior", errors.CountsError, "has no counts"),
        (lambda p: save(p, 99 - body()), "anterior", errors.CountsError, "grey is inverted"),
        (lambda p: save(p, body().astype("f4")), "anterior", errors.PixelFormatError, "no grey"),
        (other_mode("1"), "anterior", errors.PixelFormatError, "no grey"),
        (other_mode("P"), "anterior", errors.PixelFormatError, "no grey"),
        (other_mode("RGBA"), "anterior", errors.PixelFormatError, "no grey"),
        (
            lambda p: save(p, body(), tiffinfo={274: 6}),
            "anterior",
            errors.OrientationError,
            "Orientation tag",
        ),
        (
            lambda p: Image.new("L", (20000, 20000)).save(p, compression="tiff_lzw"),
            "anterior",
            errors.DecompressionBoundError,
            "more pixels",
        ),
        (
            lambda p: Image.new("L", (5000, 5000)).save(p, compression="tiff_lzw"),
            "anterior",
            errors.PixelDataError,
            "5000x5000 pixels",
        ),
        (lambda p: p.write_text("CANARYDOE"), "anterior", errors.UnreadableFileError, "no PNG"),
        (
            lambda p: save(p, body(np.uint8), format="BMP"),
            "anterior",
            errors.UnreadableFileError,
            "no PNG",
        ),
    ],
)
def test_what_is_not_safe_is_refused(
    tmp_path: Path, refuses_scan: Refuses, write, view, error, words: str
) -> None:
    path = tmp_path / "it.tif"
    write(path)
    refuses_scan(path, error, words, view=view)


def test_a_truncated_image_is_refused(tmp_path: Path, refuses_scan: Refuses) -> None:
    noise = np.random.default_rng(0).integers(1, 999, (40, 40), np.uint16)
    path = save(tmp_path / "it.png", np.pad(noise, 5))
    path.write_bytes(path.read_bytes()[:1500])

    refuses_scan(path, errors.UnreadableFileError, "damaged", view="anterior")


def test_an_image_has_no_series(tmp_path: Path, refuses_scan: Refuses) -> None:
    path = save(tmp_path / "it.png", body())
    refuses_scan(path, errors.UsageError, "has no series", view="anterior", series="1")
