"""Bone scans for training: what is read, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from osteoserve_export.errors import PairError
from osteoserve_export.training.scintigraphy.pairs import (
    REGIONS,
    VIEWS,
    find_scintigraphy_pairs,
    read_scintigraphy_pair,
)
from osteoserve_export.training.scintigraphy.views import read_views


@pytest.fixture
def copy(scan: Path, tmp_path: Path) -> Path:
    return shutil.copytree(scan, tmp_path / "pairs" / "scan")


def test_counts_are_those_of_the_file(scan: Path) -> None:
    (file,) = (scan / "dicom").iterdir()
    frames = pydicom.dcmread(file).pixel_array
    views = read_views(scan / "dicom")
    assert list(views) == list(VIEWS)
    assert np.array_equal(frames, np.stack(list(views.values())))
    assert views.keys() == read_views(file).keys()


def test_a_view_is_what_its_detector_says_and_not_its_place(copy: Path) -> None:
    (file,) = (copy / "dicom").iterdir()
    before = read_views(file)
    dataset = pydicom.dcmread(file)
    dataset.DetectorInformationSequence = list(reversed(dataset.DetectorInformationSequence))
    dataset.save_as(file)
    after = read_views(file)
    assert np.array_equal(before["anterior"], after["posterior"])


def test_instances_share_out_the_label_map(scan: Path) -> None:
    pair = read_scintigraphy_pair(scan)
    for view in VIEWS:
        shown = np.asarray(Image.open(scan / "labels" / f"{view}_labels.png"))
        table = np.array([0, *pair.labels[view]], dtype=np.uint8)
        assert np.array_equal(table[pair.instances[view]], shown)
        # Two femurs are two instances of one label.
        assert pair.labels[view].count(REGIONS.index("femurs") + 1) == 2


def test_a_folder_of_studies_is_read_in_order(copy: Path) -> None:
    shutil.copytree(copy, copy.parent / "another")
    assert [pair.name for pair in find_scintigraphy_pairs(copy.parent)] == ["another", "scan"]


def test_a_view_without_code_is_refused(copy: Path) -> None:
    (file,) = (copy / "dicom").iterdir()
    dataset = pydicom.dcmread(file)
    del dataset.DetectorInformationSequence[1].ViewCodeSequence
    dataset.save_as(file)
    with pytest.raises(PairError, match="detector 2 does not say"):
        read_views(file)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda study: shutil.rmtree(study / "dicom"), "no DICOM file"),
        (lambda study: (study / "labels" / "regions.json").unlink(), "no index of regions"),
        (lambda study: (study / "labels" / "anterior_skull.png").unlink(), "anterior_skull"),
        (lambda study: (study / "dicom" / "readme.txt").write_text("x"), "readme.txt is no DICOM"),
        (lambda study: _shrink(study / "labels" / "posterior_labels.png"), "another shape"),
        (lambda study: _rename(study / "labels" / "regions.json"), "is not called"),
    ],
)
def test_what_cannot_be_used_is_named(copy: Path, change, words) -> None:
    change(copy)
    with pytest.raises(PairError, match=words):
        find_scintigraphy_pairs(copy.parent)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PairError, match="no study folders"):
        find_scintigraphy_pairs(tmp_path)


def _shrink(path: Path) -> None:
    Image.open(path).resize((128, 512)).save(path)


def _rename(path: Path) -> None:
    index = json.loads(path.read_text())
    index["regions"][0]["name"] = "tail"
    path.write_text(json.dumps(index))
