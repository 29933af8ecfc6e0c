"""The checkpoints that `make models` exports: stated as they were trained, and of some use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from osteoserve_export.checkpoints import load_network  # noqa: E402 - only where torch is
from osteoserve_export.cli import RECIPES  # noqa: E402
from osteoserve_export.graphs.detection import DetectionGraph  # noqa: E402
from osteoserve_export.phantoms import phantom_studies  # noqa: E402
from osteoserve_export.specification import (  # noqa: E402
    DetectionSpecification,
    SegmentationSpecification,
    read_specification,
)
from osteoserve_export.training.recipe import read_recipe  # noqa: E402
from osteoserve_export.training.scintigraphy.evaluation import (  # noqa: E402
    LEAST_SCORE,
    detect,
    evaluate_regions,
)
from osteoserve_export.training.scintigraphy.pairs import (  # noqa: E402
    REGIONS,
    read_scintigraphy_pair,
)
from osteoserve_export.training.scintigraphy.recipe import read_scintigraphy_recipe  # noqa: E402
from osteoserve_preprocessing.core.scintigram import compose_views  # noqa: E402

CHECKPOINTS = Path(__file__).resolve().parents[2] / "export" / "checkpoints"


@pytest.fixture(scope="module")
def regions() -> DetectionGraph:
    asked = read_specification(CHECKPOINTS / "mask_rcnn_scintigraphy.toml", {})
    network = load_network(
        CHECKPOINTS / "mask_rcnn_scintigraphy.safetensors", asked.architecture, asked.options
    )
    return DetectionGraph(network, detections=asked.options["box_detections_per_img"])


@pytest.mark.parametrize("name", ["resnet_unet_pelvis", "mask_rcnn_scintigraphy"])
def test_a_checkpoint_has_its_card_and_its_size(name: str) -> None:
    assert (CHECKPOINTS / f"{name}.safetensors").stat().st_size < 45e6
    card = (CHECKPOINTS / f"{name}.md").read_text(encoding="utf-8")
    for word in ("not a medical device", "ResNet-18", "What it was trained on", "Licence"):
        assert word.lower() in card.lower()


def test_the_detector_is_exported_as_it_was_trained() -> None:
    asked = read_specification(CHECKPOINTS / "mask_rcnn_scintigraphy.toml", {})
    assert isinstance(asked, DetectionSpecification)
    recipe = read_scintigraphy_recipe(RECIPES / "mask_rcnn_scintigraphy.toml")
    assert {key: _listed(value) for key, value in asked.options.items()} == {
        key: _listed(value) for key, value in recipe.options.items()
    }
    assert tuple(label.name for label in asked.labels) == REGIONS
    assert all(label.type.scheme == "SCT" for label in asked.labels)


def test_the_pelvis_network_is_exported_as_it_was_trained() -> None:
    asked = read_specification(CHECKPOINTS / "resnet_unet_pelvis.toml", {})
    assert isinstance(asked, SegmentationSpecification)
    options = read_recipe(RECIPES / "resnet_unet_pelvis.toml").training
    assert asked.window == options.window
    assert tuple(label.name for label in asked.labels) == options.classes
    assert asked.activation == "argmax"


@pytest.mark.slow
def test_the_detector_finds_every_region_of_a_phantom_that_it_has_not_seen(
    regions: DetectionGraph,
) -> None:
    with phantom_studies("scintigraphy", [301], "--labels") as (dicom,):
        figures = evaluate_regions(regions, [read_scintigraphy_pair(dicom.parent)])
    for name, each in figures.items():
        assert each.dice > 0.6, name


@pytest.mark.real_data
@pytest.mark.parametrize("brightness", [1.0, 2.5])
def test_the_detector_finds_each_region_of_a_real_scan_once(
    regions: DetectionGraph, shared_data: Path, brightness: float
) -> None:
    # An anterior view alone: its Secondary Capture says so to a reader, not in an attribute.
    counts = pydicom.dcmread(
        shared_data / "scintigraphy_whole_body" / "REF" / "NM1_UNC"
    ).pixel_array
    composed = compose_views(counts.astype(np.uint16), None, brightness=brightness)
    found = detect(regions, composed.image)
    sure = found.scores >= LEAST_SCORE
    names = [REGIONS[label - 1] for label in found.labels[sure]]
    expected = ["skull", "spine", "chest", "pelvis", "femurs", "femurs"]
    assert sorted(names) == sorted([*expected, "anterior_right_humerus", "anterior_left_humerus"])
    # The patient's right is on the image's left in an anterior view; the skull is above the pelvis.
    box = dict(zip(names, found.boxes[sure], strict=True))
    assert box["anterior_right_humerus"][2] < box["spine"][0]
    assert box["anterior_left_humerus"][0] > box["spine"][2]
    assert box["skull"][3] < box["pelvis"][1]


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
