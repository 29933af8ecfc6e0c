from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from osteoserve_client.scintigram import PlanarView
from osteoserve_client.writing.colours import label_colours
from osteoserve_client.writing.preview.panels import BACKGROUND
from osteoserve_client.writing.scintigraphy.preview import scintigram_preview
from osteoserve_client.writing.scintigraphy.preview.page import ViewsPage, arrange_views, body_rows
from osteoserve_client.writing.scintigraphy.preview.panels import (
    draw_regions,
    draw_view,
    inverted_grey,
)
from osteoserve_client.writing.scintigraphy.region_names import spoken
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from tests.client.writing.scintigraphy.conftest import Case, make_case

COLOURS = label_colours(range(1, 11))


def page_of(case: Case, report=None, *, warnings: int = 0):
    report = report or case.report
    return scintigram_preview(case.scan, case.labels, case.regions, report, warnings=warnings)


@pytest.mark.parametrize("shape", [(128, 32), (19, 9), (1, 9), (9, 1), (64, 64)], ids=str)
@pytest.mark.parametrize("storage", ["one file", "anterior alone"])
def test_the_page_holds_every_panel_whole(storage: str, shape) -> None:
    page = np.asarray(page_of(make_case(storage, shape=shape)))
    assert page.shape[1] <= 1680
    # A rim all around is free, so nothing was cut off.
    for rim in (page[:10], page[-10:], page[:, :10], page[:, -10:]):
        assert (rim == BACKGROUND).all()


def test_counts_are_dark_on_white_and_do_not_overflow() -> None:
    counts = np.array([[0, 10, 20, 65535]], dtype=np.uint16)
    assert inverted_grey(counts, 20.0).tolist() == [[255, 128, 0, 0]]


def test_a_view_is_shown_as_its_detector_sees_the_patient_however_it_is_stored() -> None:
    plain, turned = make_case("one file"), make_case("turned by 180 degrees")
    assert np.array_equal(page_of(plain), page_of(turned))


def test_stains_and_outlines_are_the_labels_colours_and_stay_in_their_regions() -> None:
    labels = np.zeros((20, 20), dtype=np.uint8)
    labels[5:15, 3:9], labels[5:15, 9:15] = 9, 9
    regions = labels.copy()
    regions[:, 9:][labels[:, 9:] > 0] = 8
    white = draw_view(np.full((20, 20), 255, dtype=np.uint8), (200, 200))
    drawn = np.asarray(draw_regions(white, labels, regions, COLOURS)).astype(int)
    inside, outside, seam = drawn[100, 60], drawn[20, 20], drawn[100, 90]
    assert (outside == 255).all()
    red, green, blue = COLOURS[9]
    # The stain lies between white and the colour, on the straight line between them.
    share = (255 - inside) / (255 - np.array([red, green, blue]) + 1e-9)
    assert share[1] == pytest.approx(share[2], abs=0.01)
    assert 0.2 < share[1] < 0.8
    # Two regions of one label are told apart.
    assert (seam < inside).any()


def test_the_middle_of_a_region_lets_counts_through() -> None:
    grey = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (40, 1))
    labels = np.ones((40, 40), dtype=np.uint8)
    drawn = np.asarray(draw_regions(draw_view(grey, (40, 40)), labels, labels, COLOURS))
    assert (np.diff(drawn[20, 3:-3, 0].astype(int)) >= 0).all()
    assert drawn[20, -5, 0] - int(drawn[20, 5, 0]) > 150


def letters(page: ViewsPage, name: str) -> tuple[np.ndarray, np.ndarray]:
    """What stands in the upper left and the upper right corner of a view."""
    (panel,) = [alone for view, alone, _ in page.views if view == name]
    pixels = np.asarray(panel.convert("L"))
    return pixels[4:30, 6:26], pixels[4:30, -26:-6]


def test_the_patients_right_is_at_the_left_of_anterior_and_at_the_right_of_posterior() -> None:
    empty = {v: np.zeros((128, 32), dtype=np.uint16) for v in ("anterior", "posterior")}
    scan = dataclasses.replace(
        make_case("one file").scan,
        views=tuple(PlanarView(view=v, counts=c) for v, c in empty.items()),
    )
    none = np.zeros((2, 128, 32), dtype=np.uint8)
    page = arrange_views(scan, none, none, COLOURS, top_counts=1.0)
    at_left, at_right = letters(page, "anterior")
    other_left, other_right = letters(page, "posterior")
    assert at_left.min() < 60
    assert at_right.min() < 60

    def shape(letter: np.ndarray) -> np.ndarray:
        """Cut out: the letters are anchored at the panel's edges."""
        ink = letter < 128
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        return letter[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] < 128

    assert np.array_equal(shape(at_left), shape(other_right))
    assert np.array_equal(shape(at_right), shape(other_left))
    assert shape(at_left).sum() > 1.3 * shape(at_right).sum()  # R has more ink than L


def test_air_above_and_below_is_cropped_and_labels_never_are() -> None:
    counts = np.zeros((2, 100, 10), dtype=np.uint16)
    counts[1, 30:60] = 50
    labels = np.zeros((2, 100, 10), dtype=np.uint8)
    assert body_rows(counts, labels) == slice(26, 64)
    labels[0, 90] = 1
    assert body_rows(counts, labels) == slice(26, 95)
    assert body_rows(counts * 0, labels * 0) == slice(0, 100)


def test_what_to_heed_appears_and_only_where_there_is_some() -> None:
    case = make_case("one file")
    without = np.asarray(page_of(case))
    assert np.array_equal(without, page_of(case))
    assert not np.array_equal(without, page_of(case, warnings=1))
    report = case.report
    report.findings.add(kind=pb.RegionFinding.KIND_MISSING, label=4, view=pb.VIEW_ANTERIOR)
    assert not np.array_equal(without, page_of(case, report))


def test_hundreds_of_regions_with_long_names_fit() -> None:
    case = make_case("one file")
    report = case.report
    for label in report.model.labels:
        label.name = f"Wirbelkörper ポ {label.value} " * 6
    for number in range(50, 250):
        report.regions.add(number=number, label=1, view=pb.VIEW_ANTERIOR, box=[0, 0, 1, 1])
        report.findings.add(kind=pb.RegionFinding.KIND_DOUBLED, label=1, view=pb.VIEW_ANTERIOR)
    page = np.asarray(page_of(case, report))
    assert page.shape[0] < 2000
    assert (page[:, -10:] == BACKGROUND).all()
    assert (page[-10:] == BACKGROUND).all()


@pytest.mark.parametrize(
    ("name", "view", "side", "said"),
    [
        ("anterior_right_humerus", pb.VIEW_ANTERIOR, pb.SIDE_RIGHT, "right humerus"),
        ("femurs", pb.VIEW_POSTERIOR, pb.SIDE_LEFT, "femurs, left"),
        ("skull", pb.VIEW_ANTERIOR, pb.SIDE_UNSPECIFIED, "skull"),
        ("anterior", pb.VIEW_ANTERIOR, pb.SIDE_UNSPECIFIED, "anterior"),
    ],
)
def test_names_as_a_reader_says_them(name, view, side, said) -> None:
    assert spoken(pb.Region(view=view, side=side), name) == said
