"""An evaluation as tables for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table

from osteoserve_client.evaluation.bland_altman import BlandAltman
from osteoserve_client.evaluation.evaluation import AVERAGE, Evaluation
from osteoserve_client.evaluation.tables import PAPER_COLUMNS, number
from osteoserve_preprocessing.metrics import Figures

#: Narrower and rich would break names and numbers; a file or pipe has no width of its own.
_WIDTH: Final = 100
_UNDEFINED: Final = "-"
_COLUMNS: Final = {
    "precision": "Prec.",
    "sensitivity": "Sens.",
    "f1": "F1",
    "iou": "IoU",
    "iou_mean": "IoU*",
    "dice": "Dice",
    "dice_mean": "Dice*",
    "accuracy": "Acc.",
}


def show(evaluation: Evaluation) -> None:
    """Print the pooled figures, those of the folds, and the agreement of sizes."""
    console = Console(highlight=False)
    if not console.is_terminal or console.width < _WIDTH:
        console = Console(highlight=False, width=_WIDTH)
    studies = len(evaluation.studies)
    title = f"{studies} {'study' if studies == 1 else 'studies'}, pooled"
    console.print(_table(title, ("Label", *_COLUMNS.values()), _pooled(evaluation)))
    console.print(
        "*: mean of mask and background (Milara 2024, equations 4 and 7). -: undefined (0/0), left "
        "out of averages."
    )
    if evaluation.folds:
        count = len(evaluation.folds)
        console.print(
            _table(
                f"Mean of {count} folds, %",
                ("Category", *PAPER_COLUMNS.values()),
                _by_label(evaluation),
            )
        )
        console.print(
            _table("Average of labels, %", ("Fold", *PAPER_COLUMNS.values()), _by_fold(evaluation))
        )
    size = "Area" if evaluation.planar else "Volume"
    heads = (
        "Label",
        "n",
        f"Bias, {evaluation.unit}",
        "SD",
        "95 % limits",
        "Bias, %",
        "95 % limits, %",
    )
    console.print(_table(f"{size}, prediction - reference", heads, _agreement(evaluation)))


def _pooled(evaluation: Evaluation) -> Iterable[Sequence[str]]:
    for label, figures in evaluation.rows.items():
        yield label, *(_number(getattr(figures, name), 4) for name in _COLUMNS)


def _by_label(evaluation: Evaluation) -> Iterable[Sequence[str]]:
    """Yu 2023, tables 2 and 3."""
    for label, figures in evaluation.mean_of_folds.items():
        yield label, *_paper(figures)


def _by_fold(evaluation: Evaluation) -> Iterable[Sequence[str]]:
    """Yu 2023, table 5."""
    averages = {fold: _average(rows) for fold, rows in evaluation.rows_by_fold.items()}
    for fold, figures in averages.items():
        yield fold, *_paper(figures)
    yield AVERAGE, *_paper(Figures.mean(list(averages.values())))


def _average(rows: dict[str, Figures]) -> Figures:
    """Over labels; of one label alone, its own figures."""
    return rows[AVERAGE] if AVERAGE in rows else next(iter(rows.values()))


def _paper(figures: Figures) -> tuple[str, ...]:
    return tuple(_number(100 * getattr(figures, name), 2) for name in PAPER_COLUMNS)


def _agreement(evaluation: Evaluation) -> Iterable[Sequence[str]]:
    for label, found in evaluation.agreement.items():
        absolute, per_cent = found.absolute, found.per_cent
        yield (
            label,
            str(absolute.pairs),
            _number(absolute.bias, 2),
            _number(absolute.sd, 2),
            _limits(absolute, 2),
            _number(per_cent.bias, 1),
            _limits(per_cent, 1),
        )


def _limits(found: BlandAltman, decimals: int) -> str:
    if math.isnan(found.sd):
        return _UNDEFINED
    return f"{found.limits.low:.{decimals}f} to {found.limits.high:.{decimals}f}"


def _number(value: float, decimals: int) -> str:
    return number(value, decimals, undefined=_UNDEFINED)


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1))
    for n, head in enumerate(heads):
        table.add_column(head, justify="right" if n else "left", no_wrap=True)
    for row in rows:
        # Names come from files: brackets in them are no markup.
        table.add_row(*(cell.replace("[", "\\[") for cell in row))
    return table
