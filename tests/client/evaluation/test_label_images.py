from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from osteoserve_client.errors import LabelMapError, UnreadableFileError
from osteoserve_client.evaluation.label_images import read_label_images, read_label_index
from osteoserve_client.phantom.scintigraphy import REGIONS, make_scintigraphy_phantom, write_labels
from tests.client.evaluation.label_files import write_views

LABELS = np.random.default_rng(3).integers(0, 11, (7, 5)).astype(np.uint8)


def test_a_palette_is_only_colour(tmp_path):
    plain = Image.fromarray(LABELS)
    plain.save(tmp_path / "labels_anterior.png")
    plain.putpalette(np.random.default_rng(1).integers(0, 256, 768).astype(np.uint8).tobytes())
    plain.save(tmp_path / "labels_posterior.png", bits=8)
    found = read_label_images(tmp_path, "scan")
    assert set(found.views) == {"anterior", "posterior"}
    for labels in found.views.values():
        assert np.array_equal(labels, LABELS)


def test_one_view_is_one_view(tmp_path):
    write_views(tmp_path, anterior=LABELS)
    assert set(read_label_images(tmp_path, "scan").views) == {"anterior"}


@pytest.mark.parametrize("mode", ["RGB", "I;16"])
def test_what_is_no_label_map_is_refused(tmp_path, mode):
    Image.new(mode, (5, 7)).save(tmp_path / "labels_anterior.png")
    with pytest.raises(LabelMapError, match=r"^scan/labels_anterior\.png: "):
        read_label_images(tmp_path, "scan")


def test_a_damaged_image_is_refused(tmp_path):
    write_views(tmp_path, anterior=LABELS)
    path = tmp_path / "labels_anterior.png"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UnreadableFileError, match="no PNG"):
        read_label_images(tmp_path, "scan")


def test_the_phantoms_truth_is_read_with_its_names(tmp_path):
    phantom = make_scintigraphy_phantom(0)
    index = write_labels(phantom, tmp_path / "labels")
    found = read_label_index(index, "regions.json")
    assert tuple(found.names.values()) == REGIONS
    assert found.pixel_spacing_mm == (phantom.pixel_spacing_mm,) * 2
    for view, labels in found.views.items():
        assert np.array_equal(labels, phantom.labels[view])


@pytest.mark.parametrize(
    "index",
    [
        "no JSON",
        json.dumps({"names": {}, "views": {"anterior": {}}, "pixel_spacing_mm": 1}),
        json.dumps(
            {
                "names": {"1": "skull"},
                "views": {"anterior": {"labels": "../secret.png"}},
                "pixel_spacing_mm": 1,
            }
        ),
        json.dumps(
            {
                "names": {"1": "skull"},
                "views": {"anterior": {"labels": "absent.png"}},
                "pixel_spacing_mm": 1,
            }
        ),
    ],
    ids=["text", "keys", "outside", "absent"],
)
def test_a_damaged_index_is_refused(tmp_path, index):
    (tmp_path / "regions.json").write_text(index)
    with pytest.raises(UnreadableFileError):
        read_label_index(tmp_path / "regions.json", "regions.json")
