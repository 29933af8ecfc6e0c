"""The command: with an earlier run's regions, and through a real service with the model."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from osteoserve_client.bone_scan_index.outputs import OUTPUT_NAMES
from osteoserve_client.cli.bsi import bsi
from osteoserve_client.errors import UsageError
from osteoserve_client.local_service import COMMAND, LocalService
from osteoserve_client.scintigram import VIEWS
from osteoserve_client.writing.scintigraphy import write_scintigram_outputs
from tests.client.bone_scan_index.conftest import Patient

MODEL = "mask_rcnn_scintigraphy"


def run(*arguments: str | Path) -> str:
    """What the command prints; what it refuses is raised."""
    found = CliRunner().invoke(bsi, list(map(str, arguments)), standalone_mode=False)
    if found.exception is not None:
        raise found.exception
    return found.stdout


@pytest.fixture(scope="module")
def masks(patient: Patient, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("masks")
    options = []
    for view, mask in patient.hot.items():
        Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).save(folder / f"{view}.png")
        options += ["--hotspots", f"{view}={folder / view}.png"]
    return options


@pytest.fixture(scope="module")
def earlier(patient: Patient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("earlier")
    case = patient.case
    write_scintigram_outputs(case.scan, case.labels, case.regions, patient.report, folder)
    return folder


def test_without_hot_spots_there_is_no_index(patient: Patient) -> None:
    with pytest.raises(UsageError, match="a segmentation alone is no Bone Scan Index") as caught:
        run(patient.folder)
    assert caught.value.exit_code == 2
    assert "--hotspots" in str(caught.value)


def test_the_help_says_what_the_figure_is_not() -> None:
    words = " ".join(bsi.get_help(click.Context(bsi)).split())
    assert "area ratio of planar views" in words
    assert "Imbriaco 1998" in words


def test_the_table_the_files_and_the_document_agree(
    patient: Patient, masks: list[str], earlier: Path, tmp_path: Path
) -> None:
    asked = (patient.folder, *masks, "--regions", earlier)
    expected = patient.index().index.per_cent
    printed = run(*asked)
    assert f"Bone Scan Index {expected:.2f} %" in printed.splitlines()
    assert not list(tmp_path.iterdir())
    document = json.loads(run(*asked, "-o", tmp_path / "out", "--json"))
    assert document["bone_scan_index"]["per_cent"] == expected
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(OUTPUT_NAMES)
    assert json.loads((tmp_path / "out" / "bsi.json").read_text()) == document
    kept = json.loads(run(*asked, "--keep-bladder", "--json"))["bone_scan_index"]
    assert kept["per_cent"] == patient.index(exclude_bladder=False).index.per_cent
    assert kept["definition"]["excluded_from_both"] == ["kidney"]


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """A service that serves the shipped model alone."""
    with LocalService(command=(*COMMAND, "--model", MODEL)) as local:
        yield local.address


def served(patient: Patient, service: str, *options: str | Path) -> dict[str, Any]:
    said = run(patient.folder, "--server", service, "--json", *options)
    found: dict[str, Any] = json.loads(said)["bone_scan_index"]
    return found


@pytest.mark.slow
def test_a_phantom_through_the_service(
    patient: Patient, masks: list[str], service: str, tmp_path: Path
) -> None:
    found = served(patient, service, *masks, "-o", tmp_path / "out")
    true = patient.index().index
    # The network's regions are not the true ones, and hot spots at their borders fall out.
    assert found["per_cent"] == pytest.approx(true.per_cent, abs=1.0)
    assert found["hot_spots"]["pixels"] == true.hot_pixels
    sums = {
        figure["region"]: figure["per_cent"]
        for figure in found["figures"]
        if figure["row"] == "sum" and figure["view"] == "all"
    }
    for name, area in true.by_region.items():
        assert sums[name] == pytest.approx(area.per_cent, abs=4.0), name
    for view in VIEWS:
        image = np.array(Image.open(tmp_path / "out" / f"bsi_{view}.png"))
        assert np.array_equal(image >= 128, patient.hot[view])

    volume = np.stack([patient.hot[view] for view in VIEWS]).astype(np.uint8).transpose(2, 1, 0)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "hot.nii.gz")
    again = served(patient, service, "--hotspots", tmp_path / "hot.nii.gz")
    assert again["figures"] == found["figures"]
    cold = served(
        patient, service, *(o for v in VIEWS for o in ("--hotspots", _cold(tmp_path, v, patient)))
    )
    assert cold["per_cent"] == 0


def _cold(folder: Path, view: str, patient: Patient) -> str:
    path = folder / f"{view}_cold.png"
    Image.fromarray(np.zeros(patient.hot[view].shape, np.uint8)).save(path)
    return f"{view}={path}"


@pytest.mark.slow
def test_the_command_is_installed() -> None:
    """As users run it: by its name, with an exit code and one line."""
    found = subprocess.run(
        [sys.executable, "-m", "osteoserve_client", "bsi", "absent"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 2
    assert len(found.stderr.splitlines()) == 1
    assert "a segmentation alone is no Bone Scan Index" in found.stderr
