"""From folders of bone scans to a detector's checkpoint, and to its figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from osteoserve_export.checkpoints import load_network, save_checkpoint
from osteoserve_export.errors import RecipeError
from osteoserve_export.graphs.detection import DetectionGraph
from osteoserve_export.training.scintigraphy.evaluation import evaluate_regions
from osteoserve_export.training.scintigraphy.loop import DetectorProgress, train_detector
from osteoserve_export.training.scintigraphy.pairs import ScintigraphyPair, find_scintigraphy_pairs
from osteoserve_export.training.scintigraphy.recipe import read_scintigraphy_recipe

Say = Callable[[str], None]


def run_detector_training(
    recipe: Path,
    pairs: tuple[Path, ...],
    out: Path,
    *,
    steps: int | None,
    compiled: bool,
    say: Say,
) -> None:
    """Train and save.

    Args:
        recipe: TOML file.
        pairs: Folders of study folders.
        out: Checkpoint to write.
        steps: Instead of the recipe's.
        compiled: Whether torch compiles the backbone.
        say: Called with each line of progress.

    Raises:
        RecipeError: The recipe cannot be followed.
        PairError: A study cannot be used.
    """
    asked = read_scintigraphy_recipe(recipe)
    if steps:
        asked = dataclasses.replace(asked, steps=steps)
    scans = _scans(pairs)
    say(f"{len(scans)} bone scans")
    out.parent.mkdir(parents=True, exist_ok=True)

    def on_progress(progress: DetectorProgress) -> None:
        # A training that is cut short leaves its last weights behind.
        save_checkpoint(progress.network, out)
        losses = ", ".join(f"{name} {value:.3f}" for name, value in progress.losses.items())
        say(f"step {progress.step}/{progress.steps}  {losses}  {progress.seconds:.0f} s")

    train_detector(scans, asked, compiled=compiled, on_progress=on_progress)
    say(f"wrote {out}")


def run_detector_evaluation(
    checkpoint: Path, recipe: Path, pairs: tuple[Path, ...], *, say: Say
) -> None:
    """Print the figures of a detector on bone scans, region by region.

    Args:
        checkpoint: Weights.
        recipe: TOML file; tells what the weights do not.
        pairs: Folders of study folders.
        say: Called with each line.

    Raises:
        CheckpointError: The weights cannot be used.
        PairError: A study cannot be used.
    """
    options = dict(read_scintigraphy_recipe(recipe).options)
    network = load_network(checkpoint, "mask_rcnn", options)
    graph = DetectionGraph(network, detections=options["box_detections_per_img"])
    for name, figures in evaluate_regions(graph, _scans(pairs)).items():
        say(
            f"{name}: precision {figures.precision:.4f}, sensitivity {figures.sensitivity:.4f}, "
            f"F1 {figures.dice:.4f}"
        )


def _scans(pairs: tuple[Path, ...]) -> tuple[ScintigraphyPair, ...]:
    if not pairs:
        raise RecipeError("no bone scans: give --pairs")
    return tuple(pair for folder in pairs for pair in find_scintigraphy_pairs(folder))
