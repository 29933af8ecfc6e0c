"""Real scans, read as the command reads them, and written back onto their slices."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from highdicom.seg import segread

from osteoserve_client.reading import read_study
from osteoserve_client.study import Study
from osteoserve_client.writing import OUTPUT_NAMES, write_outputs

pytestmark = pytest.mark.real_data

STUDIES = (
    "ct_abdomen_table/image",
    "ct_abdomen_j2k/example_ct_dicom",
    "ct_limbs_nonsquare/STS_013",
    "ct_odd_single_files/dcmqi_ct-3slice",
    "ct_odd_single_files/dcmqi_legacy_enhanced_ct_24x38x3.dcm",
    "ct_odd_single_files/CT_small.dcm",
)


def bright(study: Study) -> npt.NDArray[np.uint8]:
    """No good skeleton, but one that differs from slice to slice."""
    return (study.volume.voxels > 250).astype(np.uint8)


def by_position(seg: pydicom.Dataset) -> dict[tuple[float, ...], npt.NDArray[np.uint8]]:
    pixels = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    return {
        tuple(groups.PlanePositionSequence[0].ImagePositionPatient): frame
        for frame, groups in zip(pixels, seg.PerFrameFunctionalGroupsSequence, strict=True)
    }


def source_positions(study: Study) -> list[tuple[float, ...]]:
    if not study.frames:
        return [tuple(dataset.ImagePositionPatient) for dataset in study.datasets]
    groups = study.datasets[0].PerFrameFunctionalGroupsSequence
    return [
        tuple(groups[frame - 1].PlanePositionSequence[0].ImagePositionPatient)
        for frame in study.frames
    ]


@pytest.mark.parametrize("name", STUDIES)
def test_every_output_is_written_and_lies_on_the_source(
    shared_data: Path, report_of, tmp_path, name
) -> None:
    study = read_study(shared_data / name)
    labels = bright(study)
    write_outputs(study, labels, report_of(study, labels), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(OUTPUT_NAMES)

    seg = pydicom.dcmread(tmp_path / "skeleton.seg.dcm")
    frames = by_position(seg)
    for place, expected in zip(source_positions(study), labels, strict=True):
        assert np.array_equal(frames.pop(place, np.zeros_like(expected)), expected)
    assert not frames
    assert segread(tmp_path / "skeleton.seg.dcm").number_of_segments == 1

    image = nibabel.load(tmp_path / "skeleton.nii.gz")
    assert np.array_equal(np.asarray(image.dataobj), labels.T)
    lps = study.volume.geometry.affine @ (3, 2, len(labels) - 1, 1)
    assert np.allclose(image.affine @ (3, 2, len(labels) - 1, 1), lps * (-1, -1, 1, 1), atol=1e-3)

    with (tmp_path / "volumes.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert int(row["voxels"]) == np.count_nonzero(labels)
    patient = str(study.datasets[0].get("PatientName", "")) or "no name"
    said = (tmp_path / "report.json").read_text()
    assert patient not in said
    assert json.loads(said)["outputs"] == list(OUTPUT_NAMES)


def test_shuffled_names_give_the_same_segmentation(shared_data: Path, report_of, tmp_path) -> None:
    source = shared_data / "ct_abdomen_table" / "image"
    for n, path in enumerate(sorted(source.iterdir(), key=lambda path: path.stem[::-1])):
        (tmp_path / "shuffled").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "shuffled" / f"{n:03}.dcm")
    found = []
    for folder in (source, tmp_path / "shuffled"):
        study = read_study(folder)
        labels = bright(study)
        out = tmp_path / folder.name
        write_outputs(study, labels, report_of(study, labels), out)
        found.append(by_position(pydicom.dcmread(out / "skeleton.seg.dcm")))
    assert found[0].keys() == found[1].keys()
    assert all(np.array_equal(found[0][place], found[1][place]) for place in found[0])


def test_a_tilted_gantrys_labels_go_back_onto_its_own_slices(
    shared_data: Path, report_of, tmp_path
) -> None:
    study = read_study(shared_data / "ct_gantry_tilt" / "tilted", resample_tilt=True)
    labels = bright(study)
    write_outputs(study, labels, report_of(study, labels), tmp_path)
    seg = pydicom.dcmread(tmp_path / "skeleton.seg.dcm")
    assert (seg.Rows, seg.Columns) == study.sheared.shape[1:]
    frames = by_position(seg)
    assert set(frames) <= set(source_positions(study))
    # Back and forth by interpolation: the volume stays, to a few per cent.
    volume = sum(int(frame.sum()) for frame in frames.values()) * abs(
        np.linalg.det(study.sheared.affine[:3, :3])
    )
    expected = np.count_nonzero(labels) * study.volume.geometry.voxel_volume_ml * 1000
    assert volume == pytest.approx(expected, rel=0.05)
    assert nibabel.load(tmp_path / "skeleton.nii.gz").shape == labels.shape[::-1]
