"""An evaluation as tables (RFC 4180, UTF-8): by study, pooled, by fold, and agreement.

An undefined figure is an empty cell, as in ``volumes.csv``.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

from osteoserve_client.evaluation.bland_altman import BlandAltman, Interval
from osteoserve_client.evaluation.evaluation import Evaluation
from osteoserve_preprocessing.metrics import Confusion, Figures

Row = Sequence[str]

FIGURES: Final = tuple(field.name for field in fields(Figures))
_COUNTS: Final = ("true_positive", "false_positive", "false_negative", "true_negative")
#: Columns of each fold, as in Yu 2023 (tables 2 and 3; F1 stands below them), in per cent.
PAPER_COLUMNS: Final = {"precision": "Precision", "sensitivity": "Sensitivity", "f1": "F1"}
#: Columns of each fold by the names of Milara 2024, "Best Model Selection", as shares.
OVERLAP_COLUMNS: Final = {
    "iou": "IoU (mask)",
    "iou_mean": "IoU",
    "dice": "Dice (mask)",
    "dice_mean": "Dice",
}
AGREEMENT_COLUMNS: Final = (
    "label",
    "unit",
    "studies",
    "bias",
    "bias_low",
    "bias_high",
    "sd",
    "lower_limit",
    "lower_limit_low",
    "lower_limit_high",
    "upper_limit",
    "upper_limit_low",
    "upper_limit_high",
)


def study_rows(evaluation: Evaluation) -> list[Row]:
    """One row for each study and label, sizes in the unit that the column's name ends with."""
    unit = {"cm²": "cm2"}.get(evaluation.unit, evaluation.unit)
    sizes = (f"reference_{unit}", f"prediction_{unit}", f"difference_{unit}")
    fold_of = {name: fold for fold, names in evaluation.folds.items() for name in names}
    rows: list[Row] = [("study", "fold", "label", *_COUNTS, *sizes, *FIGURES)]
    for study in evaluation.studies:
        for label in evaluation.labels:
            counts = study.confusion(label)
            true, found = (evaluation.size(study, n) for n in (counts.true, counts.found))
            measured = (number(size, 4) for size in (true, found, found - true))
            fold = fold_of.get(study.study, "")
            rows.append((study.study, fold, label, *_counts(counts), *measured, *_figures(counts)))
    return rows


def pooled_rows(evaluation: Evaluation) -> list[Row]:
    """One row for each label over all studies, then the averages over labels."""
    rows: list[Row] = [("label", *_COUNTS, "studies", *FIGURES, "dice_median_of_studies")]
    for label, figures in evaluation.rows.items():
        values = tuple(number(getattr(figures, name), 6) for name in FIGURES)
        if label in evaluation.pooled:
            held = str(len(evaluation.agreement[label].reference))
            median = number(evaluation.median_dice(label), 6)
            rows.append((label, *_counts(evaluation.pooled[label]), held, *values, median))
        else:
            rows.append((label, "", "", "", "", "", *values, ""))
    return rows


def fold_rows(
    evaluation: Evaluation, columns: Mapping[str, str], *, per_cent: bool, decimals: int
) -> list[Row]:
    """Rows are labels and their averages; columns those given, of each fold and of their mean."""
    tables = {f"Fold {fold}": rows for fold, rows in evaluation.rows_by_fold.items()}
    tables["Mean"] = evaluation.mean_of_folds
    heads = [f"{table} {column}" for table in tables for column in columns.values()]
    rows: list[Row] = [("Category", *heads)]
    for label in evaluation.mean_of_folds:
        cells = [getattr(of[label], name) for of in tables.values() for name in columns]
        rows.append((label, *(number(100 * c if per_cent else c, decimals) for c in cells)))
    return rows


def agreement_rows(evaluation: Evaluation) -> list[Row]:
    """Two rows for each label: in the evaluation's unit, and in per cent of the pair's mean."""
    rows: list[Row] = [AGREEMENT_COLUMNS]
    for label, agreement in evaluation.agreement.items():
        for unit, found in ((evaluation.unit, agreement.absolute), ("%", agreement.per_cent)):
            values = (number(value, 4) for value in _agreement(found))
            rows.append((label, unit, str(found.pairs), *values))
    return rows


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write a table, its first row the names of the columns.

    Raises:
        OSError: The file could not be written.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def number(value: float, decimals: int, *, undefined: str = "") -> str:
    """A number with a fixed count of decimals, or what stands for an undefined one."""
    return undefined if math.isnan(value) else f"{value:.{decimals}f}"


def _counts(counts: Confusion) -> Row:
    return tuple(str(getattr(counts, name)) for name in _COUNTS)


def _figures(counts: Confusion) -> Row:
    return tuple(number(getattr(counts, name), 6) for name in FIGURES)


def _agreement(found: BlandAltman) -> tuple[float, ...]:
    def pair(interval: Interval) -> tuple[float, float]:
        return interval.low, interval.high

    return (
        found.bias,
        *pair(found.bias_interval),
        found.sd,
        found.limits.low,
        *pair(found.low_interval),
        found.limits.high,
        *pair(found.high_interval),
    )
