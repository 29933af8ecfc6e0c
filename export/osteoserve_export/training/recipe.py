"""A training recipe: which studies, how they are labelled, and every setting that matters."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from osteoserve_export.errors import RecipeError
from osteoserve_export.training.pairs import TrainingPair, canonical_volume, read_image, read_pair
from osteoserve_export.training.pseudo_labels import PseudoLabelOptions, pseudo_labels

Options = TypeVar("Options")


@dataclass(frozen=True, kw_only=True)
class Study:
    """One study of a recipe.

    Args:
        name: How it is called in figures and on the command line.
        image: Path below the data folder.
        share: Share of the crops that are taken from it, relative to the other studies.
        labels: Path of its label file below the data folder; empty where it has none.
        bone: Inclusive ranges of label values that are bone.
        pseudo: How it is labelled where it has no label file.
        source: Where it comes from and under which licence, for the model card.

    Raises:
        RecipeError: It has neither labels nor rules for pseudo-labels, or both.
    """

    name: str
    image: str
    share: float
    labels: str = ""
    bone: tuple[tuple[int, int], ...] = ((1, 254),)
    pseudo: PseudoLabelOptions | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if bool(self.labels) == (self.pseudo is not None):
            raise RecipeError(f"study {self.name} needs either labels or pseudo")
        if self.share <= 0:
            raise RecipeError(f"study {self.name} needs a share above 0")

    def read(self, data: Path) -> TrainingPair:
        """Read the study and its labels.

        Args:
            data: Folder that the recipe's paths start from.

        Returns:
            The pair; pseudo-labels are computed here.
        """
        if self.pseudo is None:
            return read_pair(self.name, data / self.image, data / self.labels, bone=self.bone)
        volume = canonical_volume(read_image(data / self.image))
        return TrainingPair(self.name, volume, pseudo_labels(volume, self.pseudo))


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How the network is trained.

    Args:
        seed: Of weights, crops and augmentation.
        first_channels: F of the U-Net.
        steps: Optimiser steps.
        cycle_steps: Length of the one-cycle schedule; 0 means ``steps``. A longer cycle leaves
            the last descent of the learning rate to the refinement.
        batch: Crops a step.
        crop: Height and width of a crop, pixels; a multiple of 16.
        learning_rate: Highest rate of the one-cycle schedule.
        weight_decay: Of AdamW.
        average: Decay a step of the moving average of the weights, which is what is kept.
        pairs_share: Share of the crops that come from additional pair folders, all together.
    """

    seed: int = 2024
    first_channels: int = 8
    steps: int = 2000
    cycle_steps: int = 0
    batch: int = 12
    crop: int = 192
    learning_rate: float = 4e-3
    weight_decay: float = 1e-4
    average: float = 0.99
    pairs_share: float = 0.2

    def __post_init__(self) -> None:
        if self.crop % 16 or min(self.steps, self.batch, self.crop, self.first_channels) < 1:
            raise RecipeError("steps and batch must be positive, crop a positive multiple of 16")
        if self.cycle_steps and self.cycle_steps < self.steps:
            raise RecipeError("cycle_steps must be 0 or at least steps")


@dataclass(frozen=True, kw_only=True)
class RefinementOptions:
    """A cycle of the second stage: milder crops, other shares.

    Args:
        steps: Optimiser steps.
        learning_rate: Highest rate of its one-cycle schedule.
        strength: Of crops and augmentation, relative to the first stage.
        shares: Shares of studies in this cycle, by name; the others keep theirs.
        pairs_share: Share of the crops that come from additional pair folders, all together.
    """

    steps: int
    learning_rate: float
    strength: float = 0.5
    shares: Mapping[str, float] = field(default_factory=dict)
    pairs_share: float = 0.2

    def __post_init__(self) -> None:
        if (
            self.steps < 1
            or not 0 <= self.strength <= 1
            or not 0 <= self.pairs_share < 1
            or min(self.shares.values(), default=1) <= 0
        ):
            raise RecipeError("a refinement needs steps >= 1, strength 0..1, and shares above 0")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What ``train`` needs to know.

    Args:
        training: Settings of the first stage, and of everything that both stages share.
        refinement: The cycles of the second stage, in order.
        studies: Where the crops come from.
    """

    training: TrainingOptions = field(default_factory=TrainingOptions)
    refinement: tuple[RefinementOptions, ...] = ()
    studies: tuple[Study, ...] = ()

    def without(self, name: str) -> Recipe:
        """The same recipe with one study held out.

        Args:
            name: Study that must not be seen.

        Returns:
            A recipe in which nothing else differs.

        Raises:
            RecipeError: The recipe has no study of that name.
        """
        rest = tuple(study for study in self.studies if study.name != name)
        if len(rest) == len(self.studies):
            raise RecipeError(f"the recipe has no study called {name}")
        return replace(self, studies=rest)

    def refined_training(self, cycle: int) -> TrainingOptions:
        """Settings of a cycle of the second stage; each has random numbers of its own.

        Args:
            cycle: Counted from 1.

        Returns:
            The first stage's settings with steps, learning rate and seed of the cycle.
        """
        return replace(
            self.training,
            seed=self.training.seed + cycle,
            steps=self.refinement[cycle - 1].steps,
            cycle_steps=0,
            learning_rate=self.refinement[cycle - 1].learning_rate,
        )


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Args:
        path: TOML: a table ``training``, and tables ``refinement`` and ``study``, one for each.

    Returns:
        The recipe.

    Raises:
        RecipeError: A key is unknown or missing, or a value is impossible.
    """
    with path.open("rb") as file:
        try:
            content = tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{path} is no TOML: {error}") from error
    unknown = set(content) - {"training", "refinement", "study"}
    if unknown:
        raise RecipeError(f"{path} has unknown tables: {', '.join(sorted(unknown))}")
    studies = tuple(_study(table) for table in content.get("study", []))
    names = [study.name for study in studies]
    if len(set(names)) != len(names):
        raise RecipeError(f"{path} uses a study name twice")
    return Recipe(
        training=_options(TrainingOptions, content.get("training", {})),
        refinement=tuple(
            _options(RefinementOptions, table) for table in content.get("refinement", [])
        ),
        studies=studies,
    )


def _study(table: Mapping[str, Any]) -> Study:
    values = dict(table)
    if "pseudo" in values:
        values["pseudo"] = _options(PseudoLabelOptions, values["pseudo"])
    return _options(Study, values)


def _options(kind: type[Options], values: Mapping[str, Any]) -> Options:
    known = {entry.name for entry in fields(kind)}  # type: ignore[arg-type]
    if set(values) - known:
        raise RecipeError(f"{kind.__name__} has no {', '.join(sorted(set(values) - known))}")
    try:
        return kind(**{key: _frozen(value) for key, value in values.items()})
    except TypeError as error:
        raise RecipeError(f"{kind.__name__}: {error}") from error


def _frozen(value: Any) -> Any:
    return tuple(_frozen(entry) for entry in value) if isinstance(value, list) else value
