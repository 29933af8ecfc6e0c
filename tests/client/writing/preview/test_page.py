from __future__ import annotations

import numpy as np
import pytest

from osteoserve_client.study import Study
from osteoserve_client.writing.preview import preview
from osteoserve_client.writing.preview.annotation import printable, shortened
from osteoserve_client.writing.preview.layout import WIDTH
from osteoserve_client.writing.preview.panels import BACKGROUND
from osteoserve_preprocessing.geometry import Geometry, Volume

SHAPES = {
    "whole body": ((180, 40, 50), (10.0, 9.0, 10.0)),
    "thick slices": ((20, 64, 64), (5.0, 6.0, 6.0)),
    "flat": ((5, 64, 64), (5.0, 6.0, 6.0)),
    "one slice": ((1, 64, 64), (5.0, 6.0, 6.0)),
    "four slices": ((4, 64, 64), (2.0, 6.0, 6.0)),
    "tiny": ((3, 3, 3), (0.1, 0.1, 0.1)),
    "narrow": ((64, 64, 4), (2.0, 2.0, 2.0)),
}


def study_of(kind: str) -> tuple[Study, np.ndarray]:
    shape, spacing = SHAPES[kind]
    voxels = np.random.default_rng(3).integers(-100, 800, shape).astype(np.int16)
    labels = (voxels > 600).astype(np.uint8)
    return Study(volume=Volume(voxels, Geometry(shape, spacing)), source="nifti"), labels


@pytest.mark.parametrize("kind", SHAPES)
def test_the_page_holds_every_panel_whole(kind: str, report_of) -> None:
    study, labels = study_of(kind)
    page = preview(study, labels, report_of(study, labels), warnings=0)
    assert page.width == WIDTH
    assert 250 < page.height < 3000
    picture = np.asarray(page)
    # A rim all around is free, so nothing was cut off.
    for rim in (picture[:10], picture[-10:], picture[:, :10], picture[:, -10:]):
        assert (rim == BACKGROUND).all()


def test_cautions_appear_and_only_where_there_are_some(report_of) -> None:
    study, labels = study_of("thick slices")
    report = report_of(study, labels)
    without = preview(study, labels, report, warnings=0)
    assert np.array_equal(without, preview(study, labels, report, warnings=0))
    assert not np.array_equal(without, preview(study, labels, report, warnings=1))
    report.preprocessing.stretcher.caution = "arms beside the body"
    assert not np.array_equal(without, preview(study, labels, report, warnings=0))


def test_many_labels_with_long_names_and_foreign_letters(report_of) -> None:
    study, labels = study_of("one slice")
    names = {n: f"Wirbelkörper ポ {n} " * 6 for n in range(1, 30)}
    page = preview(study, labels, report_of(study, labels, names), warnings=0)
    assert (np.asarray(page)[:, -10:] == BACKGROUND).all()


def test_text_is_brought_to_the_letters_of_the_font() -> None:
    assert printable("Wirbelkörper é") == "Wirbelkorper e"
    assert printable("骨") == "?"
    assert shortened("short", 400) == "short"
    assert shortened("long " * 100, 400).endswith("...")
