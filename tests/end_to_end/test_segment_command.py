"""`osteoserve segment` as a user runs it: real files, real service, real Triton."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from os import environ
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from click.testing import CliRunner
from PIL import Image

from osteoserve_client.cli.phantom import phantom as draw_phantom
from osteoserve_client.phantom import REGIONS, make_ct_phantom
from tests.end_to_end.processes import MARK, Command, marked_processes

OUTPUTS = {"skeleton.nii.gz", "skeleton.seg.dcm", "report.json", "volumes.csv", "preview.png"}


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * float((first & second).sum()) / float(first.sum() + second.sum())


@pytest.fixture(scope="module")
def result(
    osteoserve: Command, phantom: Path, service: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("result")
    done = osteoserve("segment", phantom / "dicom", "-o", out, "--server", service)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1 + len(OUTPUTS), "one line of times, one line per output"
    return out


def test_every_output_is_there_and_nothing_else(result: Path) -> None:
    assert {path.name for path in result.iterdir()} == OUTPUTS


def test_the_mask_is_the_skeleton_on_the_source_grid(result: Path, phantom: Path) -> None:
    mask = nibabel.load(result / "skeleton.nii.gz")
    truth = nibabel.load(phantom / "labels.nii.gz")
    assert mask.shape == truth.shape
    np.testing.assert_allclose(mask.affine, truth.affine, atol=1e-3)
    overlap = dice(np.asarray(mask.dataobj) > 0, np.asarray(truth.dataobj) > 0)
    assert overlap > 0.85


def test_the_seg_lies_on_the_source_images(result: Path, phantom: Path) -> None:
    seg = highdicom.seg.segread(result / "skeleton.seg.dcm")
    sources = [pydicom.dcmread(path) for path in (phantom / "dicom").rglob("*.dcm")]
    sources.sort(key=lambda source: float(source.ImagePositionPatient[2]))
    frames = seg.get_pixels_by_source_instance([source.SOPInstanceUID for source in sources])
    mask = np.asarray(nibabel.load(result / "skeleton.nii.gz").dataobj).transpose(2, 1, 0)
    np.testing.assert_array_equal(frames[..., 0] > 0, mask > 0)
    bone = np.stack([source.pixel_array for source in sources])[mask > 0]
    intercept = float(sources[0].RescaleIntercept)
    assert np.median(bone) + intercept > 150, "what is marked as bone is not bright"


def test_report_and_table_agree(result: Path) -> None:
    report = json.loads((result / "report.json").read_text())
    with (result / "volumes.csv").open() as file:
        (row,) = csv.DictReader(file)
    mask = nibabel.load(result / "skeleton.nii.gz")
    voxels = int((np.asarray(mask.dataobj) == 1).sum())
    assert int(row["voxels"]) == voxels
    assert float(row["volume_ml"]) == pytest.approx(
        voxels * abs(np.linalg.det(mask.affine[:3, :3])) / 1000, rel=1e-4
    )
    assert report["model"]["name"] == "unet_skeleton"
    assert len(report["model"]["sha256"]) == 64


def test_the_picture_opens(result: Path) -> None:
    with Image.open(result / "preview.png") as picture:
        picture.load()
        assert min(picture.size) > 400


def test_segmenting_again_gives_the_same_mask(
    osteoserve: Command, phantom: Path, service: str, result: Path, tmp_path: Path
) -> None:
    done = osteoserve("segment", phantom / "dicom", "-o", tmp_path, "--server", service, "--json")
    assert done.returncode == 0, done.stderr
    assert {Path(path).name for path in json.loads(done.stdout)["outputs"]} == OUTPUTS
    again = np.asarray(nibabel.load(tmp_path / "skeleton.nii.gz").dataobj)
    np.testing.assert_array_equal(
        again, np.asarray(nibabel.load(result / "skeleton.nii.gz").dataobj)
    )


@pytest.mark.slow
def test_without_a_server_one_is_started_and_nothing_stays(
    osteoserve: Command, phantom: Path, tmp_path: Path, mark: str
) -> None:
    done = osteoserve("segment", phantom / "dicom", "-o", tmp_path / "out", mark=mark)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == OUTPUTS
    assert marked_processes(mark) == {}


@pytest.mark.slow
def test_a_killed_command_leaves_no_process_and_no_output(
    phantom: Path, tmp_path: Path, mark: str
) -> None:
    arguments = ["segment", str(phantom / "dicom"), "-o", str(tmp_path / "out")]
    child = subprocess.Popen(
        [sys.executable, "-m", "osteoserve_client", *arguments],
        env=environ | {MARK: mark},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not any("tritonserver" in line for line in marked_processes(mark).values()):
        assert time.monotonic() < deadline, "Triton was not started"
        time.sleep(0.1)
    child.send_signal(signal.SIGKILL)
    child.wait()
    deadline = time.monotonic() + 45
    while marked_processes(mark):
        assert time.monotonic() < deadline, marked_processes(mark)
        time.sleep(0.2)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_missing_slice_is_refused_in_one_line_that_names_no_patient(
    osteoserve: Command, phantom: Path, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    study.mkdir()
    files = sorted((phantom / "dicom").rglob("*.dcm"))
    for number, path in enumerate(files):
        if number != len(files) // 2:
            dataset = pydicom.dcmread(path)
            dataset.PatientName = "CANARY^NAME"
            dataset.PatientID = "CANARY-ID"
            dataset.save_as(study / path.name)
    done = osteoserve("segment", study, "-o", tmp_path / "out")
    assert done.returncode == 3
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "missing" in done.stderr
    assert "CANARY" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_study_that_no_seg_could_refer_to_is_refused_before_it_is_sent(
    osteoserve: Command, phantom: Path, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    study.mkdir()
    for path in (phantom / "dicom").rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
        dataset.save_as(study / path.name)
    done = osteoserve("segment", study, "-o", tmp_path / "out", "--server", "127.0.0.1:1")
    assert done.returncode == 3, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("region", sorted(REGIONS))
def test_a_phantom_of_every_region_can_be_asked_for(tmp_path: Path, region: str) -> None:
    words = ["ct", "-o", str(tmp_path), "--slices", "1", "--region", region]
    done = CliRunner().invoke(draw_phantom, words)
    assert done.exit_code == 0, done.output
    (file,) = (tmp_path / "dicom").iterdir()
    expected = make_ct_phantom(slices=1, region=region).volume.geometry.origin
    np.testing.assert_allclose(pydicom.dcmread(file).ImagePositionPatient, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["segment", "no-such-folder", "-o", "out"], 2, "no-such-folder"),
        (["segment", "."], 2, "--output"),
        (["segment", "{phantom}/dicom", "-o", "{tmp}", "--server", "127.0.0.1:1"], 4, "127.0.0.1"),
        (
            ["segment", "{phantom}/dicom", "-o", "{tmp}", "--server", "{service}", "--model", "x"],
            5,
            "x",
        ),
        (["no-such-command"], 2, "no-such-command"),
    ],
)
def test_exit_codes_are_those_documented(
    osteoserve: Command,
    phantom: Path,
    service: str,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    word: str,
) -> None:
    filled = [
        part.format(phantom=phantom, tmp=tmp_path / "out", service=service) for part in arguments
    ]
    done = osteoserve(*filled)
    assert done.returncode == code, done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
