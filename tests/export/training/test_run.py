from __future__ import annotations

import re

import numpy as np
import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from osteoserve_export.checkpoints import load_network  # noqa: E402 - only where torch is
from osteoserve_export.cli import main  # noqa: E402
from tests.export.conftest import tube_pair  # noqa: E402

RECIPE = """
[training]
first_channels = 2
classes = {classes}
window_hu = [-300, 700]
steps = 2
batch = 2
crop = 32

[[study]]
name = "tube"
image = "tube/image.nii.gz"
labels = "tube/labels.nii.gz"
share = 1.0
"""


@pytest.fixture
def written(write_image, tmp_path):
    """A tube of bone as a study, and a recipe of it."""
    pair = tube_pair()
    x, y, z = pair.volume.geometry.spacing[::-1]
    for name, array in (("image", pair.volume.voxels), ("labels", pair.target)):
        write_image(np.ascontiguousarray(array), f"tube/{name}.nii.gz", spacing=(x, y, z))

    def write(classes: str):
        recipe = tmp_path / "recipe.toml"
        recipe.write_text(RECIPE.format(classes=classes), encoding="utf-8")
        return recipe

    return write


def invoke(command: str, *options: object):
    return CliRunner().invoke(main, [command, *map(str, options)])


@pytest.mark.parametrize(
    ("classes", "channels", "lines"),
    [('["bone"]', 1, ["tube bone"]), ('["patient", "bone"]', 3, ["tube patient", "tube bone"])],
)
def test_a_recipe_is_trained_and_every_class_has_its_figures(
    written, tmp_path, classes, channels, lines
):
    recipe, out = written(classes), tmp_path / "weights.safetensors"
    trained = invoke("train", "--recipe", recipe, "--data", tmp_path, "--out", out)
    assert trained.exit_code == 0, trained.output
    assert load_network(out, "unet", {"classes": channels}).head.out_channels == channels
    told = invoke("evaluate", "--recipe", recipe, "--data", tmp_path, "--checkpoint", out)
    assert told.exit_code == 0, told.output
    assert [line.partition(":")[0] for line in told.output.splitlines()] == lines
    assert all(
        re.search(r"Dice \d\.\d{4}, IoU \d\.\d{4}", line) for line in told.output.split("\n")[:-1]
    )


def test_weights_with_other_classes_are_one_line(written, tmp_path):
    out = tmp_path / "weights.safetensors"
    invoke("train", "--recipe", written('["bone"]'), "--data", tmp_path, "--out", out)
    three = written('["patient", "bone"]')
    for command, option in (("evaluate", "--checkpoint"), ("train", "--start-from")):
        further = () if command == "evaluate" else ("--out", tmp_path / "next.safetensors")
        answer = invoke(command, "--recipe", three, "--data", tmp_path, option, out, *further)
        assert answer.exit_code == 3
        assert "does not fit unet: 2 have another shape" in answer.output
        assert answer.output.count("\n") == 1


def test_a_recipe_goes_by_its_name_or_its_file(tmp_path):
    answer = invoke(
        "train", "--recipe", "resnet_unet_pelvis", "--out", tmp_path / "weights.safetensors"
    )
    assert answer.output.strip() == "Error: nothing to train on: give --data, --pairs or both"
    answer = invoke("train", "--recipe", "resnet_pelvis", "--out", tmp_path / "weights.safetensors")
    assert answer.exit_code == 2
    assert "resnet_pelvis is no file, and no recipe among" in answer.output


def test_an_encoder_that_does_not_exist_is_refused_before_any_study_is_read(tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        '[training]\narchitecture = "resnet_unet"\nencoder = "resnet19"', encoding="utf-8"
    )
    answer = invoke(
        "train", "--recipe", recipe, "--pairs", tmp_path, "--out", tmp_path / "weights.safetensors"
    )
    assert answer.exit_code == 3
    assert "resnet_unet has no encoder 'resnet19': there are resnet18" in answer.output
