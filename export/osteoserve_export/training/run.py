"""What ``train`` and ``evaluate`` do: from folders to a checkpoint, and to figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from osteoserve_export.checkpoints import load_checkpoint, save_checkpoint
from osteoserve_export.errors import RecipeError
from osteoserve_export.graphs.segmentation import SegmentationGraph
from osteoserve_export.training.evaluation import compare, segment
from osteoserve_export.training.loop import Progress, train
from osteoserve_export.training.pairs import find_pairs
from osteoserve_export.training.recipe import Recipe, read_recipe
from osteoserve_export.training.sampling import CropSource


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


def run_training(run: TrainingRun, *, say: Callable[[str], None]) -> None:
    """Train and save.

    Args:
        run: What to do.
        say: Called with each line of progress.

    Raises:
        RecipeError: The recipe cannot be followed.
        PairError: A study cannot be used.
        CheckpointError: ``start_from`` cannot be used.
    """
    if run.threads:
        torch.set_num_threads(run.threads)
    recipe = _recipe(run)
    sources = read_sources(recipe, run.data, run.pairs)
    say(f"{len(sources.names)} studies: {', '.join(sources.names)}")
    run.out.parent.mkdir(parents=True, exist_ok=True)

    def on_progress(progress: Progress) -> None:
        # A training that is cut short leaves its last weights behind.
        save_checkpoint(progress.network, run.out)
        say(_line(progress))

    if run.start_from:
        network = load_checkpoint(run.start_from, recipe.training.first_channels)
    else:
        network = train(
            sources.shared({}, recipe.training.pairs_share),
            recipe.training,
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
    studies = [CropSource(study.read(data), study.share) for study in recipe.studies if data]
    found = [CropSource(pair, 1.0) for folder in pairs for pair in find_pairs(folder)]
    return Sources(tuple(studies), tuple(found))


def _recipe(run: TrainingRun) -> Recipe:
    recipe = read_recipe(run.recipe)
    if run.hold_out:
        recipe = recipe.without(run.hold_out)
    if run.steps:
        training = dataclasses.replace(recipe.training, steps=run.steps, cycle_steps=0)
        recipe = dataclasses.replace(recipe, training=training)
    return recipe


def _line(progress: Progress) -> str:
    return (
        f"step {progress.step}/{progress.steps}  loss {progress.loss:.4f}  {progress.seconds:.0f} s"
    )


def run_evaluation(
    checkpoint: Path,
    recipe: Path,
    data: Path,
    names: tuple[str, ...],
    *,
    threads: int | None,
    say: Callable[[str], None],
) -> None:
    """Print the figures of a network on the studies of a recipe.

    Args:
        checkpoint: Weights.
        recipe: TOML file.
        data: Folder that the recipe's paths start from.
        names: Studies to look at; all of the recipe where empty.
        threads: Threads of torch; its own choice unless given.
        say: Called with each line.

    Raises:
        CheckpointError: The weights cannot be used.
        RecipeError: The recipe has no study of that name.
    """
    if threads:
        torch.set_num_threads(threads)
    studies = {study.name: study for study in read_recipe(recipe).studies}
    unknown = sorted(set(names) - set(studies))
    if unknown:
        raise RecipeError(f"the recipe has no study called {', '.join(unknown)}")
    graph = SegmentationGraph(load_checkpoint(checkpoint))
    for name in names or tuple(studies):
        pair = studies[name].read(data)
        figures = compare(segment(graph.segment, pair.volume), pair.target)
        say(
            f"{name}: Dice {figures.dice:.4f}, IoU {figures.iou:.4f}, "
            f"sensitivity {figures.sensitivity:.4f}, precision {figures.precision:.4f}, "
            f"specificity {figures.specificity:.4f}, accuracy {figures.accuracy:.4f}"
        )
