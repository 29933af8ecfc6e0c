"""What all studies say together: pooled, by fold, and how far two readings agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from types import MappingProxyType
from typing import Final, Literal

from osteoserve_client.evaluation.bland_altman import BlandAltman, bland_altman
from osteoserve_client.evaluation.comparison import StudyCounts
from osteoserve_client.evaluation.names import distinct, key
from osteoserve_preprocessing.metrics import Confusion, Figures

Unit = Literal["ml", "cm²", "pixels"]

AVERAGE: Final = "Average"
#: Yu 2023, tables 2 and 3: the kidneys are no bone.
AVERAGE_WITHOUT_KIDNEY: Final = "Average (w/o kidney)"
_KIDNEY: Final = ("kidney", "kidneys")


@dataclass(frozen=True)
class Agreement:
    """How far the sizes of one label agree between reference and prediction.

    Args:
        reference: Its size in each study that has it in either, in the evaluation's unit.
        prediction: Likewise, in the same order.
    """

    reference: tuple[float, ...]
    prediction: tuple[float, ...]

    @cached_property
    def absolute(self) -> BlandAltman:
        """Of the differences, prediction minus reference."""
        return bland_altman(self.reference, self.prediction)

    @cached_property
    def per_cent(self) -> BlandAltman:
        """Of the differences in per cent of the pair's mean."""
        return bland_altman(self.reference, self.prediction, per_cent=True)


@dataclass(frozen=True)
class Evaluation:
    """Every study that was compared.

    Args:
        studies: In the order of their names.
        planar: Whether they are bone scans.
        folds: The studies of each fold; empty where there are no folds.
    """

    studies: tuple[StudyCounts, ...]
    planar: bool
    folds: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Every label that a study knows of."""
        return distinct([name for study in self.studies for name in study.confusions])

    @cached_property
    def pooled(self) -> dict[str, Confusion]:
        """The counts of all studies together, by label."""
        return self._pool(self.studies)

    @cached_property
    def rows(self) -> dict[str, Figures]:
        """Figures of the pooled counts by label, then the averages over labels."""
        return with_averages({name: Figures.of(counts) for name, counts in self.pooled.items()})

    @cached_property
    def rows_by_fold(self) -> dict[str, dict[str, Figures]]:
        """The same of each fold's studies, by fold."""
        return {
            fold: with_averages(
                {name: Figures.of(c) for name, c in self._pool(self._of(names)).items()}
            )
            for fold, names in self.folds.items()
        }

    @cached_property
    def mean_of_folds(self) -> dict[str, Figures]:
        """The mean over folds of each label, then the averages of these means over labels."""
        return with_averages(
            {
                name: Figures.mean([rows[name] for rows in self.rows_by_fold.values()])
                for name in self.labels
            }
        )

    def median_dice(self, label: str) -> float:
        """Median over studies, as Belal 2019 reports it; NaN where none has the label."""
        values = [study.confusion(label).dice for study in self.studies]
        defined = [value for value in values if not math.isnan(value)]
        return median(defined) if defined else math.nan

    @cached_property
    def unit(self) -> Unit:
        """Of sizes: pixels where one study's size of a pixel is unknown."""
        if not self.planar:
            return "ml"
        return "pixels" if any(study.unit_size is None for study in self.studies) else "cm²"

    def size(self, study: StudyCounts, voxels: int) -> float:
        """Volume or area of some voxels of a study, in `unit`."""
        return voxels * (1.0 if self.unit == "pixels" else study.unit_size or 1.0)

    @cached_property
    def agreement(self) -> dict[str, Agreement]:
        """By label, over the studies in which reference or prediction has it."""
        found = {}
        for label in self.labels:
            pairs = [(study, study.confusion(label)) for study in self.studies]
            held = [(study, counts) for study, counts in pairs if counts.true or counts.found]
            found[label] = Agreement(
                tuple(self.size(study, counts.true) for study, counts in held),
                tuple(self.size(study, counts.found) for study, counts in held),
            )
        return found

    def _pool(self, studies: Sequence[StudyCounts]) -> dict[str, Confusion]:
        return {
            label: sum((study.confusion(label) for study in studies), Confusion(0, 0, 0, 0))
            for label in self.labels
        }

    def _of(self, names: Sequence[str]) -> list[StudyCounts]:
        return [study for study in self.studies if study.study in names]


def with_averages(rows: Mapping[str, Figures]) -> dict[str, Figures]:
    """Rows as in the tables of Yu 2023: the labels, their average, and that without kidneys.

    Args:
        rows: Figures by label.

    Returns:
        The same, followed by the averages where there is more than one label; the second one
        where a label is called kidney.
    """
    if len(rows) < 2:
        return dict(rows)
    averaged = dict(rows)
    averaged[AVERAGE] = Figures.mean(list(rows.values()))
    bones = [figures for name, figures in rows.items() if key(name) not in _KIDNEY]
    if 0 < len(bones) < len(rows):
        averaged[AVERAGE_WITHOUT_KIDNEY] = Figures.mean(bones)
    return averaged
