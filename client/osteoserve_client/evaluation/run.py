"""From references and predictions, or a served model, to an evaluation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from osteoserve_client.evaluation.comparison import UNKNOWN, compare
from osteoserve_client.evaluation.evaluation import Evaluation
from osteoserve_client.evaluation.folds import folds_of, read_folds
from osteoserve_client.evaluation.label_maps import LabelMap, Names
from osteoserve_client.evaluation.studies import (
    PREDICTION_STEMS,
    REFERENCE_STEMS,
    Entries,
    Entry,
    find_label_maps,
    match,
    unreferenced,
)
from osteoserve_client.reading.files import Progress, unreported

#: What predicts one study: from its reference's place on disk to a label map.
Predict = Callable[[Entry], LabelMap]
Say = Callable[[str], None]


def _unsaid(line: str) -> None:
    """The ``Say`` of a caller who does not listen."""


def evaluate(
    references: Path,
    predictions: Path | Predict,
    *,
    names: Names | None = None,
    folds: Path | None = None,
    ignored: int = UNKNOWN,
    on_progress: Progress = unreported,
    say: Say = _unsaid,
) -> Evaluation:
    """Compare predictions with references, study by study.

    Args:
        references: File or folder of label maps; see `studies.find_label_maps`.
        predictions: The same, or what makes one.
        names: What the values mean in all label maps, whatever their files say.
        folds: Table of folds; see `folds.read_folds`.
        ignored: Value of references that is not counted.
        on_progress: Called with studies done and to do.
        say: Called with a line on what was left out.

    Raises:
        UsageError: A path does not exist.
        InputError: A study is refused, and with it the whole evaluation: figures of some studies
            are none of the others.
    """
    table = None if folds is None else read_folds(folds)
    true = find_label_maps(references, REFERENCE_STEMS)
    # Before anything is read: a study without a fold is found at once.
    by_fold = {} if table is None else folds_of(table, list(true.by_study))
    counted = []
    pairs = _pairs(true, predictions, say)
    for done, (reference, predict) in enumerate(pairs, start=1):
        counted.append(
            compare(reference.study, reference.read(), predict(), names=names, ignored=ignored)
        )
        on_progress(done, len(pairs))
    planar = next(iter(true.by_study.values())).planar
    return Evaluation(tuple(counted), planar, by_fold)


def _pairs(
    references: Entries, predictions: Path | Predict, say: Say
) -> list[tuple[Entry, Callable[[], LabelMap]]]:
    if not isinstance(predictions, Path):
        return [(entry, _deferred(predictions, entry)) for entry in references.by_study.values()]
    found = find_label_maps(predictions, PREDICTION_STEMS)
    matched = match(references, found)
    if left := unreferenced(references, found):
        say(f"left out, for they have no reference: {left}")
    return [(reference, prediction.read) for reference, prediction in matched]


def _deferred(predict: Predict, entry: Entry) -> Callable[[], LabelMap]:
    return lambda: predict(entry)
