"""`osteoserve segment` on bone scans as a user runs it: real files, real service, real Triton."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image

from osteoserve_client.phantom.scintigraphy import (
    REGIONS,
    PhantomScintigraphy,
    make_scintigraphy_phantom,
    write_scintigraphy_study,
)
from tests.end_to_end.processes import Command

VIEWS = ("anterior", "posterior")
OUTPUTS = {
    "regions.seg.dcm",
    "report.json",
    "regions.csv",
    "preview.png",
    *(f"{what}_{view}.png" for what in ("labels", "regions") for view in VIEWS),
}

#: Compressions that lose nothing, and those that do.
LOSSLESS = ("RLE/NM1_RLE", "JPLL/NM1_JPLL", "JLSL/NM1_JLSL", "J2KR/NM1_J2KR")
LOSSY = ("J2KI/NM1_J2KI", "JPLY/NM1_JPLY")

Labels = npt.NDArray[np.uint8]
SingleView = Callable[[str], tuple[Path, Labels]]


@pytest.fixture(scope="module")
def drawn() -> PhantomScintigraphy:
    return make_scintigraphy_phantom(203)


@pytest.fixture(scope="module")
def segment(osteoserve: Command, service: str):
    def run(source: Path, out: Path, *options: str):
        return osteoserve("segment", source, "-o", out, "--server", service, *options)

    return run


def label_image(folder: Path, view: str) -> Labels:
    with Image.open(folder / f"labels_{view}.png") as image:
        assert image.mode == "P"
        return np.array(image)


@pytest.fixture(scope="module")
def result(segment, drawn: PhantomScintigraphy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scan")
    write_scintigraphy_study(drawn, folder / "dicom")
    done = segment(folder / "dicom", folder / "out")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1 + len(OUTPUTS)
    return folder / "out"


def test_every_output_is_there_and_nothing_else(result: Path) -> None:
    assert {path.name for path in result.iterdir()} == OUTPUTS


def test_the_regions_are_the_true_ones(result: Path, drawn: PhantomScintigraphy) -> None:
    for view in VIEWS:
        found, true = label_image(result, view), drawn.labels[view]
        for value in set(np.unique(true)) - {0, REGIONS.index("kidney") + 1}:
            dice = 2 * np.sum((found == value) & (true == value))
            dice /= np.sum(found == value) + np.sum(true == value)
            assert dice > 0.8, (view, REGIONS[value - 1])


def test_table_report_and_label_images_agree(result: Path) -> None:
    with (result / "regions.csv").open() as file:
        rows = list(csv.DictReader(file))
    report = json.loads((result / "report.json").read_text())
    assert len(rows) == len(report["regions"])
    for view in VIEWS:
        labelled = int(np.count_nonzero(label_image(result, view)))
        assert sum(int(row["pixels"]) for row in rows if row["view"] == view) == labelled
    assert report["model"]["name"] == "mask_rcnn_scintigraphy"


def test_the_seg_lies_on_the_frames(result: Path) -> None:
    seg = pydicom.dcmread(result / "regions.seg.dcm")
    names = {item.SegmentNumber: item.SegmentLabel for item in seg.SegmentSequence}
    pixels = seg.pixel_array.astype(bool)
    seen = {view: np.zeros(pixels.shape[1:], bool) for view in VIEWS}
    for frame, groups in zip(pixels, seg.PerFrameFunctionalGroupsSequence, strict=True):
        number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        view = VIEWS[int(source.ReferencedFrameNumber) - 1]
        label = REGIONS.index(names[number]) + 1
        assert np.array_equal(frame, label_image(result, view) == label)
        seen[view] |= frame
    for view in VIEWS:
        assert np.array_equal(seen[view], label_image(result, view) > 0)


@pytest.fixture(scope="module")
def single_view(
    segment, drawn: PhantomScintigraphy, tmp_path_factory: pytest.TempPathFactory
) -> SingleView:
    """A view in a file of its own, and its labels."""

    @cache
    def single(view: str) -> tuple[Path, Labels]:
        folder = tmp_path_factory.mktemp(view)
        write_scintigraphy_study(drawn, folder / "dicom", views=[view])
        done = segment(folder / "dicom", folder / "out")
        assert done.returncode == 0, done.stderr
        (path,) = (folder / "dicom").iterdir()
        return path, label_image(folder / "out", view)

    return single


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("columns", [False, True])
def test_a_turned_copy_that_says_so_has_the_same_regions_in_the_patient(
    segment, single_view: SingleView, tmp_path: Path, view: str, *, rows: bool, columns: bool
) -> None:
    plain, first = single_view(view)
    turned = pydicom.dcmread(plain)
    flip = (slice(None, None, -1 if rows else 1), slice(None, None, -1 if columns else 1))
    turned.PixelData = np.ascontiguousarray(turned.pixel_array[flip]).tobytes()
    turned.DetectorInformationSequence[0].ImageOrientationPatient = None
    towards_left = (view == "anterior") != columns
    turned.PatientOrientation = ["L" if towards_left else "R", "H" if rows else "F"]
    (tmp_path / "turned").mkdir()
    turned.save_as(tmp_path / "turned" / "scan.dcm")
    done = segment(tmp_path / "turned", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    second = label_image(tmp_path / "out", view)
    assert np.array_equal(first, second[flip])
    assert first.any()


def test_a_scan_on_its_head_is_refused(segment, drawn: PhantomScintigraphy, tmp_path: Path) -> None:
    write_scintigraphy_study(drawn, tmp_path / "dicom")
    (path,) = (tmp_path / "dicom").iterdir()
    turned = pydicom.dcmread(path)
    turned.PixelData = np.ascontiguousarray(turned.pixel_array[:, ::-1, ::-1]).tobytes()
    turned.save_as(path)
    done = segment(tmp_path / "dicom", tmp_path / "out")
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) <= 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_under_the_other_ones_name_exchanges_no_sides(
    segment, drawn: PhantomScintigraphy, tmp_path: Path, view: str
) -> None:
    other = VIEWS[1 - VIEWS.index(view)]
    write_scintigraphy_study(drawn, tmp_path / "dicom", views=[view])
    write_scintigraphy_study(drawn, tmp_path / "other", views=[other])
    (path,), (codes,) = (list((tmp_path / name).iterdir()) for name in ("dicom", "other"))
    relabelled = pydicom.dcmread(path)
    relabelled.DetectorInformationSequence = pydicom.dcmread(codes).DetectorInformationSequence
    relabelled.save_as(path)
    done = segment(tmp_path / "dicom", tmp_path / "out")
    assert done.returncode == 5, done.stdout
    assert f"the {other} view looks as if taken from" in done.stderr
    trusted = segment(tmp_path / "dicom", tmp_path / "out", "--trust-views")
    assert trusted.returncode == 0, trusted.stderr
    assert f"the {other} view looks as if taken from" in trusted.stderr


def test_options_of_the_other_kind_are_refused(segment, result: Path, tmp_path: Path) -> None:
    done = segment(result.parent / "dicom", tmp_path / "out", "--stretcher", "milara")
    assert done.returncode == 2
    assert "--stretcher is for a CT study" in done.stderr


@pytest.mark.real_data
def test_a_scan_that_does_not_say_its_view_is_refused(
    segment, shared_data: Path, tmp_path: Path
) -> None:
    done = segment(shared_data / "scintigraphy_whole_body/REF/NM1_UNC", tmp_path / "out")
    assert done.returncode == 2
    assert "--view anterior" in done.stderr


@pytest.mark.real_data
@pytest.mark.slow
def test_every_lossless_copy_of_a_real_scan_has_the_same_regions(
    segment, shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "scintigraphy_whole_body"
    for name in ("REF/NM1_UNC", *LOSSLESS, *LOSSY):
        done = segment(folder / name, tmp_path / name, "--view", "anterior")
        assert done.returncode == 0, done.stderr
        assert ("loss" in done.stderr) == (name in LOSSY)
    reference = label_image(tmp_path / "REF/NM1_UNC", "anterior")
    assert set(np.unique(reference)) == {0, 1, 2, 3, 4, 5, 8, 9}
    for name in LOSSLESS:
        assert np.array_equal(label_image(tmp_path / name, "anterior"), reference)
    for name in LOSSY:
        agreeing = np.mean(label_image(tmp_path / name, "anterior") == reference)
        assert agreeing > 0.95


@pytest.mark.real_data
def test_a_real_scan_as_png_has_the_same_regions(
    segment, shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / "scintigraphy_whole_body/REF/NM1_UNC"
    counts = pydicom.dcmread(source).pixel_array.astype(np.uint16)
    Image.fromarray(counts).save(tmp_path / "scan.png")
    for path, out in ((source, "dicom"), (tmp_path / "scan.png", "png")):
        done = segment(path, tmp_path / out, "--view", "anterior")
        assert done.returncode == 0, done.stderr
    assert np.array_equal(
        label_image(tmp_path / "dicom", "anterior"), label_image(tmp_path / "png", "anterior")
    )
    assert not (tmp_path / "png" / "regions.seg.dcm").exists()
