"""Predictions by a served model."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from osteoserve_client.cli.evaluate import evaluate
from osteoserve_client.errors import NoImageError
from osteoserve_client.evaluation.label_volumes import read_label_volume
from osteoserve_client.local_service import LocalService
from osteoserve_client.phantom import make_ct_phantom, write_dicom_study, write_label_map
from osteoserve_client.phantom.scintigraphy import (
    REGIONS,
    make_scintigraphy_phantom,
    write_labels,
    write_scintigraphy_study,
)
from osteoserve_client.reading import read_study
from osteoserve_client.service import ServiceClient, preprocessing_options


@pytest.fixture(scope="module")
def service():
    with LocalService() as local:
        yield local.address


def document(*arguments):
    result = CliRunner().invoke(evaluate, [str(each) for each in (*arguments, "--json")])
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


@pytest.mark.slow
def test_a_served_model_is_evaluated_on_the_images_beside_the_references(service, tmp_path):
    true, predicted = [], []
    for seed in (0, 1):
        phantom = make_ct_phantom(slices=8, region="pelvis", seed=seed)
        folder = tmp_path / f"case{seed}"
        write_dicom_study(phantom, folder / "dicom")
        write_label_map(phantom, folder / "labels.nii.gz")
        study = read_study(folder / "dicom")
        with ServiceClient(service) as client:
            labels, _ = client.segment(
                study.volume, model="unet_skeleton", options=preprocessing_options()
            )
        reference = read_label_volume(folder / "labels.nii.gz", "labels")
        assert reference.geometry.matches(study.volume.geometry)
        true.append(reference.labels)
        predicted.append(labels)
    found = document("--references", tmp_path, "--model", "unet_skeleton", "--server", service)
    (label,) = found["pooled"]["labels"]
    is_true, is_found = np.stack(true) == 1, np.stack(predicted) == 1
    assert (found["model"], label["label"]) == ("unet_skeleton", "skeleton")
    assert label["true_positive"] == np.count_nonzero(is_true & is_found)
    assert label["false_positive"] == np.count_nonzero(~is_true & is_found)
    assert label["dice"] > 0.9


def test_a_reference_without_an_image_is_refused(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "labels_anterior.png")
    # No service is needed to find out: there is none.
    result = CliRunner().invoke(
        evaluate, ["--references", str(tmp_path), "--model", "m", "--server", "127.0.0.1:9"]
    )
    assert isinstance(result.exception, NoImageError)


@pytest.mark.slow
def test_regions_of_a_served_model_lie_on_the_stored_frames(service, tmp_path):
    phantom = make_scintigraphy_phantom(3)
    write_scintigraphy_study(phantom, tmp_path / "dicom")
    write_labels(phantom, tmp_path / "labels")
    model = "mask_rcnn_scintigraphy"
    found = document("--references", tmp_path, "--model", model, "--server", service)
    assert [label["label"] for label in found["pooled"]["labels"]] == list(REGIONS)
    assert all(label["f1"] > 0.7 for label in found["pooled"]["labels"])
    # Left and right are told apart: a mirrored answer would find no humerus.
    (study,) = found["studies"]
    assert study["voxels"] == sum(labels.size for labels in phantom.labels.values())
