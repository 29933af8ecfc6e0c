"""One pair of commands for segmenters and detectors: the recipe decides, and nothing is ignored."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from osteoserve_export.cli import main  # noqa: E402 - only where torch is

DETECTOR = ("--recipe", "mask_rcnn_scintigraphy")


def invoke(command: str, *options: object) -> Result:
    return CliRunner().invoke(main, [command, *map(str, options)])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "no bone scans: give --pairs"),
        (("--data", "."), "takes --pairs, not --data"),
        (("--hold-out", "someone", "--first-cycle", "2"), "not --hold-out, --first-cycle"),
    ],
)
def test_a_detector_is_not_trained_on_what_it_cannot_use(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    told = invoke("train", *DETECTOR, "--out", tmp_path / "x.safetensors", *options)
    assert told.exit_code == 3
    assert words in told.output
    assert not list(tmp_path.iterdir())


def test_figures_need_what_the_recipe_is_about(tmp_path: Path) -> None:
    weights = tmp_path / "x.safetensors"
    weights.write_bytes(b"")
    for recipe, options, words in (
        ("mask_rcnn_scintigraphy", ("--data", tmp_path), "not --data"),
        ("unet_skeleton", ("--pairs", tmp_path), "give --data, not --pairs"),
    ):
        told = invoke("evaluate", "--recipe", recipe, "--checkpoint", weights, *options)
        assert told.exit_code == 3
        assert words in told.output
