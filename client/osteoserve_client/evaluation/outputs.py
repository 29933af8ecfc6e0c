"""Writes everything that an evaluation leaves: the whole set, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from osteoserve_client.evaluation.document import write_document
from osteoserve_client.evaluation.evaluation import Evaluation
from osteoserve_client.evaluation.plot import plotted_labels, write_bland_altman
from osteoserve_client.evaluation.tables import (
    OVERLAP_COLUMNS,
    PAPER_COLUMNS,
    Row,
    agreement_rows,
    fold_rows,
    pooled_rows,
    study_rows,
    write_rows,
)
from osteoserve_client.study import Json
from osteoserve_client.writing.transaction import all_or_nothing

PER_STUDY: Final = "per_study.csv"
POOLED: Final = "pooled.csv"
FOLDS: Final = "folds.csv"
FOLDS_OVERLAP: Final = "folds_overlap.csv"
AGREEMENT: Final = "agreement.csv"
DOCUMENT: Final = "evaluation.json"
PLOT: Final = "bland_altman.png"

#: Every file that an evaluation may leave, in the order in which they are reported.
OUTPUT_NAMES: Final = (PER_STUDY, POOLED, FOLDS, FOLDS_OVERLAP, AGREEMENT, DOCUMENT, PLOT)


def write_evaluation(
    evaluation: Evaluation, document: dict[str, Json], out: Path
) -> tuple[Path, ...]:
    """Write tables, document and plot into ``out``; all of them appear, or none.

    Args:
        evaluation: What was found.
        document: The same, of `document.evaluation_document`.
        out: Folder of the outputs; made where it is missing.

    Returns:
        The files, in the order of `OUTPUT_NAMES`: those of folds where there are folds, the plot
        where a label is in two studies.

    Raises:
        OutputError: A file could not be written.
    """
    tables = {
        PER_STUDY: study_rows(evaluation),
        POOLED: pooled_rows(evaluation),
        AGREEMENT: agreement_rows(evaluation),
    }
    if evaluation.folds:
        tables[FOLDS] = fold_rows(evaluation, PAPER_COLUMNS, per_cent=True, decimals=2)
        tables[FOLDS_OVERLAP] = fold_rows(evaluation, OVERLAP_COLUMNS, per_cent=False, decimals=3)
    writers = {name: _table(rows) for name, rows in tables.items()}
    writers[DOCUMENT] = lambda path: write_document(path, document)
    if plotted_labels(evaluation):
        writers[PLOT] = lambda path: write_bland_altman(path, evaluation)
    with all_or_nothing(out, owned=OUTPUT_NAMES) as transaction:
        for name in OUTPUT_NAMES:
            if name in writers:
                transaction.write(name, writers[name])
    return tuple(out / name for name in OUTPUT_NAMES if name in writers)


def _table(rows: list[Row]) -> Callable[[Path], None]:
    return lambda path: write_rows(path, rows)
