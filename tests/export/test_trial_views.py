"""Trial images of a detector: bone scans as DICOM, PNGs of both views, and phantoms."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from PIL import Image

pytest.importorskip("torch", reason="the extra 'export' is not installed")

from osteoserve_client.phantom.scintigraphy import (
    make_scintigraphy_phantom,
    write_scintigraphy_study,
)
from osteoserve_export.errors import PairError
from osteoserve_export.label_codes import labels_of_names
from osteoserve_export.specification import DetectionSpecification
from osteoserve_export.trial_views import ELLIPSES, PHANTOM_SEEDS, view_trials
from osteoserve_preprocessing.core.scintigram import compose_views


def asked(size: tuple[int, int] = (950, 512)) -> DetectionSpecification:
    labels = labels_of_names(["skull"])
    return DetectionSpecification(
        architecture="mask_rcnn", name="found", labels=labels, image_size=size
    )


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    made = make_scintigraphy_phantom(3)
    write_scintigraphy_study(made, folder / "dicom")
    expected = compose_views(made.counts["anterior"], made.counts["posterior"]).image
    return folder / "dicom", expected


def test_a_bone_scan_is_seen_as_it_is_composed(scan):
    path, expected = scan
    first, ellipses = view_trials([path], asked())
    np.testing.assert_array_equal(first.images, expected[None])
    assert ellipses.images.shape == (ELLIPSES, 950, 512)
    (of_file, _) = view_trials([path / "NM0001.dcm"], asked())
    np.testing.assert_array_equal(of_file.images, first.images)


def test_a_png_is_taken_as_it_is(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (40, 30), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "views.png")
    first, ellipses = view_trials([tmp_path / "views.png"], asked((40, 30)))
    np.testing.assert_array_equal(first.images, grey[None])
    assert first.name == "views.png"
    assert ellipses.images.shape[1:] == (40, 30)


def test_phantoms_take_the_place_of_studies():
    found = view_trials([], asked())
    names = [*(f"phantom {seed}" for seed in PHANTOM_SEEDS), "ellipses 950x512"]
    assert [trial.name for trial in found] == names
    assert all(trial.images.dtype == np.uint8 for trial in found)
    # Both halves show a body.
    for trial in found[:-1]:
        halves = trial.images[0, :, :256], trial.images[0, :, 256:]
        assert all((half > 30).sum() > 5000 for half in halves)


@pytest.mark.parametrize(
    ("mode", "size", "word"), [("RGB", (30, 40), "mode RGB"), ("L", (40, 30), "30x40; .* 40x30")]
)
def test_another_kind_of_png_is_named(tmp_path, mode, size, word):
    Image.new(mode, size).save(tmp_path / "views.png")
    with pytest.raises(PairError, match=word):
        view_trials([tmp_path / "views.png"], asked((40, 30)))


def test_what_cannot_be_read_is_named(tmp_path):
    for name in ("views.png", "scan.dcm"):
        (tmp_path / name).write_bytes(b"garbage")
        with pytest.raises(PairError, match=name):
            view_trials([tmp_path / name], asked((40, 30)))


def test_a_scan_does_not_fit_another_size(scan):
    with pytest.raises(PairError, match="950x512; the model takes 288x224"):
        view_trials([scan[0]], asked((288, 224)))


@pytest.mark.parametrize("lacking", ["DetectorInformationSequence", "DetectorVector"])
def test_a_scan_that_names_no_view_is_refused(scan, tmp_path, lacking):
    path, _ = scan
    dataset = pydicom.dcmread(path / "NM0001.dcm")
    delattr(dataset, lacking)
    dataset.save_as(tmp_path / "scan.dcm")
    with pytest.raises(PairError, match=r"scan\.dcm"):
        view_trials([tmp_path / "scan.dcm"], asked())
