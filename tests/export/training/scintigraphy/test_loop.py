"""Laws of training a detector: the same weights again, a falling loss, weights that load."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from osteoserve_export.checkpoints import load_network, save_checkpoint  # noqa: E402
from osteoserve_export.cli import RECIPES  # noqa: E402
from osteoserve_export.errors import PairError, RecipeError  # noqa: E402
from osteoserve_export.graphs.detection import DetectionGraph  # noqa: E402
from osteoserve_export.training.scintigraphy.evaluation import evaluate_regions  # noqa: E402
from osteoserve_export.training.scintigraphy.loop import train_detector  # noqa: E402
from osteoserve_export.training.scintigraphy.pairs import (  # noqa: E402
    REGIONS,
    read_scintigraphy_pair,
)
from osteoserve_export.training.scintigraphy.recipe import (  # noqa: E402
    ScintigraphyRecipe,
    is_scintigraphy_recipe,
    read_scintigraphy_recipe,
)
from osteoserve_export.training.scintigraphy.run import (  # noqa: E402
    run_detector_evaluation,
    run_detector_training,
)

SHIPPED = RECIPES / "mask_rcnn_scintigraphy.toml"


@pytest.fixture(scope="module")
def tiny() -> ScintigraphyRecipe:
    """The shipped recipe with images of a sixteenth of the size."""
    recipe = read_scintigraphy_recipe(SHIPPED)
    options = {**recipe.options, "fixed_size": [64, 119], "anchor_sizes": [4, 8, 16, 32, 64]}
    form = replace(recipe.form, pyramid=16, representation=32, mask_layers=(16,), mask_reduced=16)
    return replace(recipe, steps=3, options=options, form=form)


def test_the_same_recipe_gives_the_same_weights(scan: Path, tiny: ScintigraphyRecipe) -> None:
    pairs = (read_scintigraphy_pair(scan),)
    short = replace(tiny, steps=2, batch=1)
    first, again = (train_detector(pairs, short).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = train_detector(pairs, replace(short, seed=1)).state_dict()
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.slow
def test_training_lowers_the_loss(scan: Path, tiny: ScintigraphyRecipe) -> None:
    losses: list[dict[str, float]] = []
    train_detector(
        (read_scintigraphy_pair(scan),),
        replace(tiny, steps=15),
        report_every=5,
        on_progress=lambda progress: losses.append(progress.losses),
    )
    assert len(losses) == 3
    for name in ("loss_objectness", "loss_mask"):
        assert losses[-1][name] < losses[0][name]


def test_weights_load_again_and_answer_the_same(
    scan: Path, tiny: ScintigraphyRecipe, tmp_path: Path
) -> None:
    trained = train_detector((read_scintigraphy_pair(scan),), tiny)
    save_checkpoint(trained, tmp_path / "weights.safetensors")
    loaded = load_network(tmp_path / "weights.safetensors", "mask_rcnn", dict(tiny.options))
    scans = (read_scintigraphy_pair(scan),)
    first, again = (
        evaluate_regions(DetectionGraph(network, detections=20), scans)
        for network in (trained, loaded)
    )
    assert first == again
    assert list(first) == list(REGIONS)
    truth = first["skull"].true_positive + first["skull"].false_negative
    assert truth > 1000


def test_a_run_writes_a_checkpoint_that_can_be_evaluated(
    scan: Path, tiny: ScintigraphyRecipe, tmp_path: Path
) -> None:
    recipe, out, lines = tmp_path / "recipe.toml", tmp_path / "new" / "out.safetensors", []
    recipe.write_text(
        SHIPPED.read_text()
        .replace("[256, 475]", "[64, 119]")
        .replace("[12, 24, 48, 96, 160]", "[4, 8, 16, 32, 64]")
        .replace("pyramid = 64", "pyramid = 16")
    )
    run_detector_training(recipe, (scan.parent,), out, steps=1, compiled=False, say=lines.append)
    assert lines[0] == "1 bone scans"
    assert lines[1].startswith("step 1/1")
    lines.clear()
    run_detector_evaluation(out, recipe, (scan.parent,), say=lines.append)
    assert [line.partition(":")[0] for line in lines] == list(REGIONS)


def test_the_shipped_recipe_says_everything() -> None:
    assert is_scintigraphy_recipe(SHIPPED)
    assert not is_scintigraphy_recipe(RECIPES / "unet_skeleton.toml")
    recipe = read_scintigraphy_recipe(SHIPPED)
    assert recipe.form.classes == len(REGIONS) + 1
    assert recipe.form.pyramid == 64


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[scintigraphy]\nsteps = 0", "must be positive"),
        ("[scintigraphy]\nspeed = 3", "has no speed"),
        ("[scintigraphy]\n[training]\n", "unknown tables: training"),
        ("[scintigraphy]\naverage = 1.0", "below 1"),
        ("[scintigraphy.network]\ndepth = 3", "depth"),
        ("[scintigraphy.augmentation]\ncolour = 3", "has no colour"),
        ("[scintigraphy", "is no TOML"),
    ],
)
def test_an_impossible_recipe_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=words):
        read_scintigraphy_recipe(path)


def test_nothing_to_train_on_is_refused(tmp_path: Path, tiny: ScintigraphyRecipe) -> None:
    with pytest.raises(RecipeError, match="no bone scans"):
        train_detector((), tiny)
    with pytest.raises(RecipeError, match="give --pairs"):
        run_detector_training(
            SHIPPED, (), tmp_path / "x.safetensors", steps=1, compiled=False, say=print
        )
    with pytest.raises(PairError, match="no study folders"):
        run_detector_training(
            SHIPPED, (tmp_path,), tmp_path / "x.safetensors", steps=1, compiled=False, say=print
        )
