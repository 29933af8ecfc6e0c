"""What an index leaves on disk: each figure can be counted again from the pictures."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from osteoserve_client.bone_scan_index import HotSpots, ScanIndex, index_of_scan, write_index
from osteoserve_client.bone_scan_index.outputs import DOCUMENT, OUTPUT_NAMES, TABLE
from osteoserve_client.bone_scan_index.preview import arranged
from osteoserve_client.errors import OutputError
from osteoserve_client.scintigram import VIEWS, Scintigram
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from tests.client.bone_scan_index.conftest import Patient
from tests.client.writing.scintigraphy.conftest import SECRETS, Case, make_case, make_report


def table(out: Path) -> list[dict[str, str]]:
    with (out / TABLE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def index_of(case: Case, **changes: object) -> ScanIndex:
    """An index of small views, a third of them hot."""
    rng = np.random.default_rng(2)
    scan: Scintigram = replace(case.scan, **changes)  # type: ignore[arg-type]
    hot = {view.view: rng.random(view.counts.shape) < 0.3 for view in scan.views}
    report = make_report(scan, case.labels, case.regions)
    return index_of_scan(scan, case.regions, report, HotSpots(hot, ()))


def test_every_figure_can_be_counted_from_the_images(patient: Patient, tmp_path: Path) -> None:
    result = patient.index()
    assert [path.name for path in write_index(result, tmp_path)] == list(OUTPUT_NAMES)
    rows = table(tmp_path)
    images = {view: np.array(Image.open(tmp_path / f"bsi_{view}.png")) for view in VIEWS}
    parts = [row for row in rows if row["row"] != "sum"]
    for row in parts:
        image, number = images[row["view"]], int(row["number"])
        hot = int((image == number + 128).sum())
        assert int(row["hot_pixels"]) == hot
        assert int(row["pixels"]) == hot + int((image == number).sum())
        assert float(row["area_mm2"]) == pytest.approx(
            int(row["pixels"]) * float(np.prod(patient.scan.pixel_spacing_mm)), abs=0.01
        )
    counted = [row for row in parts if row["row"] == "counted"]
    by_hand = (
        100 * sum(int(r["hot_pixels"]) for r in counted) / sum(int(r["pixels"]) for r in counted)
    )
    last = rows[-1]
    assert (last["view"], last["region"]) == ("all", "skeleton")
    assert float(last["per_cent"]) == pytest.approx(by_hand, abs=1e-4)
    assert sum(float(r["per_cent_of_skeleton"]) for r in counted) == pytest.approx(
        by_hand, abs=1e-2
    )
    assert {r["region"] for r in parts if r["row"] == "excluded"} == {"kidney", "bladder_region"}
    assert all(not r["per_cent"] for r in parts if r["row"] != "counted")


def test_the_phantom_has_the_index_that_its_truth_gives(patient: Patient) -> None:
    index = patient.index(exclude_bladder=False).index
    labels = dict(zip(VIEWS, patient.case.labels, strict=True))
    bones = {view: (own > 0) & (own < 10) for view, own in labels.items()}
    hot = sum(int((bones[view] & patient.hot[view]).sum()) for view in VIEWS)
    assert index.per_cent == 100 * hot / sum(int(mask.sum()) for mask in bones.values())
    assert 0 < index.per_cent < 20


def test_the_document_says_what_was_done_and_nothing_of_the_patient(tmp_path: Path) -> None:
    result = index_of(make_case("two files"))
    write_index(result, tmp_path)
    text = (tmp_path / DOCUMENT).read_text(encoding="utf-8")
    assert not [secret for secret in SECRETS if secret in text]
    document = json.loads(text)
    own = document["bone_scan_index"]
    assert own["per_cent"] == result.index.per_cent
    assert "Imbriaco" in own["definition"]["what"]
    assert own["definition"]["excluded_from_both"] == ["kidney", "bladder_region"]
    assert len(own["figures"]) == len(table(tmp_path))
    spots = own["hot_spots"]
    assert spots["pixels"] == sum(
        spots[k] for k in ("counted", "excluded_kidney", "excluded_bladder_region", "outside")
    )
    assert document["model"]["name"] == "mask_rcnn_scintigraphy"
    assert document["outputs"] == list(OUTPUT_NAMES)
    for name in OUTPUT_NAMES:
        content = (tmp_path / name).read_bytes()
        assert not [secret for secret in SECRETS if secret.encode() in content]


@pytest.mark.parametrize("storage", ["feet up", "turned by 180 degrees", "side by side"])
def test_images_lie_as_the_stored_frames_do(storage: str, tmp_path: Path) -> None:
    result = index_of(make_case(storage))
    write_index(result, tmp_path)
    for view in result.scan.views:
        image = np.array(Image.open(tmp_path / f"bsi_{view.view}.png"))
        assert np.array_equal(image, view.as_stored(result.index.pictures[view.view]))


def test_how_frames_are_stored_changes_no_figure() -> None:
    usual = index_of(make_case("one file"))
    for storage in ("feet up", "mirrored", "turned by 180 degrees", "side by side", "two files"):
        assert index_of(make_case(storage)).index.parts == usual.index.parts


def test_without_pixel_spacing_there_are_no_areas(tmp_path: Path) -> None:
    write_index(index_of(make_case("one file"), pixel_spacing_mm=None), tmp_path)
    assert all(not row["area_mm2"] and not row["hot_mm2"] for row in table(tmp_path))
    figures = json.loads((tmp_path / DOCUMENT).read_text())["bone_scan_index"]["figures"]
    assert {figure["area_mm2"] for figure in figures} == {None}


def test_all_of_it_is_written_or_none(tmp_path: Path) -> None:
    (tmp_path / "bsi_preview.png").mkdir()
    with pytest.raises(OutputError):
        write_index(index_of(make_case("one file")), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["bsi_preview.png"]


def test_an_earlier_index_goes_and_other_files_stay(tmp_path: Path) -> None:
    write_index(index_of(make_case("one file")), tmp_path)
    (tmp_path / "report.json").write_text("{}")
    write_index(index_of(make_case("anterior alone")), tmp_path)
    assert not (tmp_path / "bsi_posterior.png").exists()
    assert (tmp_path / "report.json").exists()


def test_what_makes_the_figure_doubtful_is_said() -> None:
    case = make_case("one file")
    report = make_report(case.scan, case.labels, case.regions)
    for label, kind in ((4, "KIND_MISSING"), (10, "KIND_MISSING"), (8, "KIND_DOUBLED")):
        report.findings.add(label=label, kind=kind, view=pb.VIEW_ANTERIOR)
    cold = np.zeros(case.scan.views[0].counts.shape, bool)
    result = index_of_scan(case.scan, case.regions, report, HotSpots({"anterior": cold}, ()))
    said = "\n".join(result.cautions)
    assert "missing: right humerus in the anterior view; the skeleton's area is too small" in said
    assert "missing: kidney in the anterior view; hot spots in it are not excluded" in said
    assert "doubled: pelvis" in said
    assert "no hot spots were given for the posterior view" in said
    assert "no pixel of the anterior view is hot" in said


def test_hot_pixels_that_miss_the_skeleton_are_doubted(patient: Patient) -> None:
    assert not any("more than half" in line for line in patient.index().cautions)
    upside_down = {view: mask[::-1] for view, mask in patient.hot.items()}
    result = replace(patient, hot=upside_down).index()
    assert any("more than half" in line for line in result.cautions)


def test_hot_spots_are_painted_where_the_view_is_hot(tmp_path: Path) -> None:
    """One black block in a white view: the picture beside it has the paint on the same pixels."""
    case = make_case("anterior alone", shape=(200, 80))
    view, block = case.scan.views[0], np.zeros((200, 80), bool)
    block[120:140, 30:50] = True
    counts = np.where(block, 200, 1).astype(np.uint16)
    scan = replace(case.scan, views=(replace(view, counts=counts),))
    labels = np.zeros((1, 200, 80), np.uint8)
    labels[0, 110:150, 20:60] = 2
    report = make_report(scan, labels, labels, white_counts=100.0)
    result = index_of_scan(scan, labels, report, HotSpots({"anterior": block}, ()))
    ((_, alone, drawn),) = arranged(result).views
    black = np.asarray(alone.convert("L")) < 60
    red, green, blue = np.moveaxis(np.asarray(drawn).astype(int), -1, 0)
    painted = (red > 150) & (green < 90) & (blue < 90)
    # Letters and the scale bar are black too.
    rows, columns = np.nonzero(painted)
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    assert black[box].mean() > 0.85
    assert painted[box].mean() > 0.85
    assert painted.sum() == pytest.approx(
        block.mean() * painted.size * 200 / _rows(result), rel=0.1
    )


def _rows(result: ScanIndex) -> int:
    """Rows of the view that the panel shows, by its proportions."""
    ((_, alone, _),) = arranged(result).views
    rows, columns = result.scan.pixel_spacing_mm or (1.0, 1.0)
    width = result.scan.views[0].counts.shape[1]
    return round(alone.height / alone.width * width * columns / rows)
