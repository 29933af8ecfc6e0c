"""The recipe of a detector: every setting that matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from osteoserve_export.architectures.mask_rcnn import SMALL, MaskRCNNShape
from osteoserve_export.errors import RecipeError
from osteoserve_export.training.scintigraphy.augmentation import ViewAugmentation
from osteoserve_export.training.tables import check_tables, frozen, options_of, read_tables

#: The table of a recipe file that says that it trains a detector.
TABLE: Final = "scintigraphy"


@dataclass(frozen=True, kw_only=True)
class ScintigraphyRecipe:
    """How the detector is trained.

    Args:
        seed: Of weights, order and augmentation.
        steps: Optimiser steps.
        batch: Images a step.
        learning_rate: Highest rate of the one-cycle schedule.
        weight_decay: Of AdamW.
        average: Decay a step of the moving average of the weights, which is what is kept.
        largest_gradient: Norm that the gradient is limited to.
        proposals: Proposals of an image that the heads learn from.
        form: Sizes of the network.
        options: Of the architecture ``mask_rcnn``; an export needs the same.
        augmentation: How views are varied.
    """

    seed: int = 2023
    steps: int = 1000
    batch: int = 2
    learning_rate: float = 8e-4
    weight_decay: float = 1e-4
    average: float = 0.99
    largest_gradient: float = 5.0
    proposals: int = 64
    form: MaskRCNNShape = SMALL
    options: Mapping[str, Any] = field(default_factory=dict)
    augmentation: ViewAugmentation = field(default_factory=ViewAugmentation)

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.proposals) <= 0:
            raise RecipeError("steps, batch and proposals must be positive")
        if not (self.learning_rate > 0 and 0 <= self.average < 1 and self.largest_gradient > 0):
            raise RecipeError(
                "learning_rate and largest_gradient must be positive, average 0 or more and below 1"
            )


def is_scintigraphy_recipe(path: Path) -> bool:
    """Whether a recipe trains a detector.

    Raises:
        RecipeError: It is no TOML.
    """
    return TABLE in read_tables(path)


def read_scintigraphy_recipe(path: Path) -> ScintigraphyRecipe:
    """Read a recipe.

    Args:
        path: TOML with one table ``scintigraphy``, in which ``network`` (sizes that differ from
            `SMALL`), ``options`` and ``augmentation`` are tables.

    Raises:
        RecipeError: A key is unknown, or a value is impossible.
    """
    content = read_tables(path)
    check_tables(path, content, {TABLE})
    values = dict(content[TABLE])
    values["form"] = _form(values.pop("network", {}))
    if "augmentation" in values:
        values["augmentation"] = options_of(ViewAugmentation, values["augmentation"])
    return options_of(ScintigraphyRecipe, values)


def _form(sizes: Mapping[str, Any]) -> MaskRCNNShape:
    try:
        return replace(SMALL, **{name: frozen(size) for name, size in sizes.items()})
    except TypeError as error:
        raise RecipeError(f"network: {error}") from error
