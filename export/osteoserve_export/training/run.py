"""From folders of CT studies to a network's checkpoint, and to its figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from osteoserve_export.architectures import size_multiple_of
from osteoserve_export.checkpoints import load_network, save_checkpoint
from osteoserve_export.errors import RecipeError
from osteoserve_export.graphs.segmentation import SegmentationGraph
from osteoserve_export.training.classes import class_target
from osteoserve_export.training.evaluation import compare, segment
from osteoserve_export.training.loop import Progress, train
from osteoserve_export.training.network import new_network
from osteoserve_export.training.pairs import find_pairs
from osteoserve_export.training.recipe import Recipe, TrainingOptions, read_recipe
from osteoserve_export.training.sampling import CropSource
from osteoserve_preprocessing.metrics import Confusion


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """One call of ``osteoserve train``.

    Args:
        recipe: TOML file.
        out: Checkpoint to write.
        data: Folder that the recipe's studies lie in; without it only pairs are used.
        pairs: Folders of study folders (``find_pairs``).
        hold_out: Study of the recipe that must not be seen.
        steps: First stage's steps instead of the recipe's.
        start_from: Weights after the first stage; only the refinement is run.
        first_cycle: First cycle of the refinement, counted from 1; the weights to start from
            have been through those before it.
        threads: Threads of torch; its own choice unless given.
        compiled: Whether torch compiles the network.
    """

    recipe: Path
    out: Path
    data: Path | None = None
    pairs: tuple[Path, ...] = ()
    hold_out: str | None = None
    steps: int | None = None
    start_from: Path | None = None
    first_cycle: int = 1
    threads: int | None = None
    compiled: bool = False


@dataclass(frozen=True, kw_only=True)
class EvaluationRun:
    """One call of ``osteoserve_export evaluate``.

    Args:
        checkpoint: Weights.
        recipe: TOML file.
        data: Folder that the recipe's paths start from; not for a detector.
        pairs: Folders of bone scans; for a detector only.
        names: Studies of the recipe to look at; all where empty.
        threads: Threads of torch; its own choice unless given.
    """

    checkpoint: Path
    recipe: Path
    data: Path | None = None
    pairs: tuple[Path, ...] = ()
    names: tuple[str, ...] = ()
    threads: int | None = None


def run_training(run: TrainingRun, *, say: Callable[[str], None]) -> None:
    """Train and save.

    Args:
        run: What to do.
        say: Called with each line of progress.

    Raises:
        RecipeError: The recipe cannot be followed.
        ArchitectureError: There is no network of its sizes.
        PairError: A study cannot be used.
        CheckpointError: ``start_from`` cannot be used.
    """
    recipe = _recipe(run)
    network = _first_network(run, recipe.training)
    sources = read_sources(recipe, run.data, run.pairs)
    say(f"{len(sources.names)} studies: {', '.join(sources.names)}")
    run.out.parent.mkdir(parents=True, exist_ok=True)

    def on_progress(progress: Progress) -> None:
        # A training that is cut short leaves its last weights behind.
        save_checkpoint(progress.network, run.out)
        say(_line(progress))

    if not run.start_from:
        network = train(
            sources.shared({}, recipe.training.pairs_share),
            recipe.training,
            initial=network,
            compiled=run.compiled,
            on_progress=on_progress,
        )
    for cycle in range(run.first_cycle, len(recipe.refinement) + 1):
        refinement = recipe.refinement[cycle - 1]
        network = train(
            sources.shared(refinement.shares, refinement.pairs_share),
            recipe.refined_training(cycle),
            strength=refinement.strength,
            initial=network,
            compiled=run.compiled,
            on_progress=on_progress,
        )
    say(f"wrote {run.out}")


@dataclass(frozen=True, eq=False)
class Sources:
    """Where crops come from.

    Args:
        studies: Of the recipe.
        pairs: Of the pair folders.
    """

    studies: tuple[CropSource, ...]
    pairs: tuple[CropSource, ...]

    @property
    def names(self) -> list[str]:
        """Of all of them."""
        return [source.name for source in (*self.studies, *self.pairs)]

    def shared(self, shares: Mapping[str, float], pairs_share: float) -> tuple[CropSource, ...]:
        """The same sources with the shares of one cycle.

        Args:
            shares: Of studies, by name; the others keep theirs.
            pairs_share: Share of the crops that come from the pair folders, each as many. Without
                other studies they have all.
        """
        studies = [
            source.with_share(shares.get(source.name, source.share)) for source in self.studies
        ]
        total = sum(source.share for source in studies)
        weight = total * pairs_share / (1.0 - pairs_share) if studies else float(len(self.pairs))
        return (*studies, *(pair.with_share(weight / len(self.pairs)) for pair in self.pairs))


def read_sources(recipe: Recipe, data: Path | None, pairs: tuple[Path, ...]) -> Sources:
    """Read every study of a recipe and of the pair folders.

    Args:
        recipe: Whose studies are read where ``data`` is given.
        data: Folder that the recipe's paths start from.
        pairs: Folders of study folders.

    Raises:
        PairError: A study cannot be used.
        RecipeError: There is neither a data folder nor a pair folder.
    """
    if data is None and not pairs:
        raise RecipeError("nothing to train on: give --data, --pairs or both")
    seen: dict[str, Any] = {"classes": recipe.training.classes, "window": recipe.training.window}
    studies = [
        CropSource(study.read(data), study.share, **seen) for study in recipe.studies if data
    ]
    found = [CropSource(pair, 1.0, **seen) for folder in pairs for pair in find_pairs(folder)]
    return Sources(tuple(studies), tuple(found))


def _recipe(run: TrainingRun) -> Recipe:
    recipe = read_recipe(run.recipe)
    if run.hold_out:
        recipe = recipe.without(run.hold_out)
    if run.steps:
        training = dataclasses.replace(recipe.training, steps=run.steps, cycle_steps=0)
        recipe = dataclasses.replace(recipe, training=training)
    return recipe


def _first_network(run: TrainingRun, options: TrainingOptions) -> nn.Module:
    if run.start_from:
        return load_network(run.start_from, options.architecture, options.network_options)
    return new_network(options)


def _line(progress: Progress) -> str:
    return (
        f"step {progress.step}/{progress.steps}  loss {progress.loss:.4f}  {progress.seconds:.0f} s"
    )


def run_evaluation(run: EvaluationRun, *, say: Callable[[str], None]) -> None:
    """Print the figures of each class of a network on the studies of a recipe.

    Args:
        run: What to do.
        say: Called with each line.

    Raises:
        CheckpointError: The weights cannot be used.
        PairError: A study cannot be used.
        RecipeError: There is no data folder, or the recipe has no study of that name.
    """
    if run.data is None or run.pairs:
        raise RecipeError("the recipe's studies are evaluated: give --data, not --pairs")
    read = read_recipe(run.recipe)
    options, studies = read.training, {study.name: study for study in read.studies}
    unknown = sorted(set(run.names) - set(studies))
    if unknown:
        raise RecipeError(f"the recipe has no study called {', '.join(unknown)}")
    network = load_network(run.checkpoint, options.architecture, {"classes": options.channels})
    graph = SegmentationGraph(
        network, activation="threshold" if options.channels == 1 else "argmax"
    )
    for name in run.names or tuple(studies):
        pair = studies[name].read(run.data)
        labels = segment(
            graph.segment,
            pair.volume,
            window=options.window,
            classes=len(options.classes),
            size_multiple=size_multiple_of(network),
        )
        target = class_target(pair, options.classes)
        for label, class_ in enumerate(options.classes, start=1):
            say(f"{name} {class_}: {_figures(compare(labels, target, label))}")


def _figures(confusion: Confusion) -> str:
    return (
        f"Dice {confusion.dice:.4f}, IoU {confusion.iou:.4f}, "
        f"sensitivity {confusion.sensitivity:.4f}, precision {confusion.precision:.4f}, "
        f"specificity {confusion.specificity:.4f}, accuracy {confusion.accuracy:.4f}"
    )
