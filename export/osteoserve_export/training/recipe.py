"""A training recipe: which studies, how they are labelled, and every setting that matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from osteoserve_export.errors import RecipeError
from osteoserve_export.training.classes import CLASSES
from osteoserve_export.training.pairs import TrainingPair, canonical_volume, read_image, read_pair
from osteoserve_export.training.pseudo_labels import PseudoLabelOptions, pseudo_labels
from osteoserve_export.training.tables import check_tables, options_of, read_tables
from osteoserve_preprocessing.core import Window
from osteoserve_preprocessing.errors import OptionError

#: What height and width of a crop must be multiples of, by architecture.
CROP_MULTIPLES: Final[Mapping[str, int]] = {"unet": 16, "resnet_unet": 32}

#: F of a U-Net whose recipe does not say, that of Milara 2024.
FIRST_CHANNELS: Final = 8


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
    """What is trained, and how.

    Args:
        seed: Of weights, crops and augmentation.
        architecture: ``unet`` or ``resnet_unet``.
        first_channels: F of a ``unet``; 8 unless given.
        encoder: Of a ``resnet_unet``, such as ``resnet18``.
        classes: What the network tells apart, background left out: ``bone`` for a sigmoid,
            ``patient`` and ``bone`` for a softmax.
        window_hu: Range of HU that the network sees.
        steps: Optimiser steps.
        cycle_steps: Length of the one-cycle schedule; 0 means ``steps``. A longer cycle leaves
            the last descent of the learning rate to the refinement.
        batch: Crops a step.
        crop: Height and width of a crop, pixels; a multiple of 16, or of 32 with a ResNet.
        learning_rate: Highest rate of the one-cycle schedule.
        weight_decay: Of AdamW.
        average: Decay a step of the moving average of the weights, which is what is kept.
        pairs_share: Share of the crops that come from additional pair folders, all together.

    Raises:
        RecipeError: A value is impossible, or belongs to another architecture.
    """

    seed: int = 2024
    architecture: str = "unet"
    first_channels: int | None = None
    encoder: str | None = None
    classes: tuple[str, ...] = ("bone",)
    window_hu: tuple[int, int] = (0, 300)
    steps: int = 2000
    cycle_steps: int = 0
    batch: int = 12
    crop: int = 192
    learning_rate: float = 4e-3
    weight_decay: float = 1e-4
    average: float = 0.99
    pairs_share: float = 0.2

    def __post_init__(self) -> None:
        if self.architecture not in CROP_MULTIPLES:
            raise RecipeError(
                f"architecture must be {' or '.join(CROP_MULTIPLES)}, not {self.architecture!r}"
            )
        self._check_network()
        multiple = CROP_MULTIPLES[self.architecture]
        if self.crop % multiple or min(self.steps, self.batch, self.crop) < 1:
            raise RecipeError(
                f"steps and batch must be positive, crop a positive multiple of {multiple}"
            )
        if self.cycle_steps and self.cycle_steps < self.steps:
            raise RecipeError("cycle_steps must be 0 or at least steps")

    def _check_network(self) -> None:
        unet = self.architecture == "unet"
        if self.encoder is not None if unet else not isinstance(self.encoder, str):
            raise RecipeError("encoder is needed by resnet_unet, and by nothing else")
        if self.first_channels is not None and not (unet and self.first_channels >= 1):
            raise RecipeError("first_channels is for unet alone, and 1 or more")
        if self.classes not in CLASSES:
            known = " or ".join(str(list(names)) for names in CLASSES)
            raise RecipeError(f"classes must be {known}, not {self.classes!r}")
        try:
            lower, upper = self.window_hu
            Window(lower, upper)
        except (OptionError, TypeError, ValueError) as error:
            raise RecipeError(f"window_hu cannot be {self.window_hu!r}: {error}") from error

    @property
    def window(self) -> Window:
        """Range of HU that the network sees."""
        return Window(*self.window_hu)

    @property
    def channels(self) -> int:
        """K, the network's output channels: one, or one for each class and background."""
        return 1 if len(self.classes) == 1 else len(self.classes) + 1

    @property
    def network_options(self) -> dict[str, Any]:
        """What the network is built with, under the names of its architecture."""
        if self.architecture == "resnet_unet":
            return {"encoder_name": self.encoder, "classes": self.channels}
        return {"first_channels": self.first_channels or FIRST_CHANNELS, "classes": self.channels}


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
    content = read_tables(path)
    check_tables(path, content, {"training", "refinement", "study"})
    studies = tuple(_study(table) for table in content.get("study", []))
    names = [study.name for study in studies]
    if len(set(names)) != len(names):
        raise RecipeError(f"{path} uses a study name twice")
    return Recipe(
        training=options_of(TrainingOptions, content.get("training", {})),
        refinement=tuple(
            options_of(RefinementOptions, table) for table in content.get("refinement", [])
        ),
        studies=studies,
    )


def _study(table: Mapping[str, Any]) -> Study:
    values = dict(table)
    if "pseudo" in values:
        values["pseudo"] = options_of(PseudoLabelOptions, values["pseudo"])
    return options_of(Study, values)
