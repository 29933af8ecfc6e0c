"""Parity, or no export: every study, every label, every runtime, several batch sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from osteoserve_export.errors import ParityError
from osteoserve_export.parity.masks import compare_masks
from osteoserve_export.parity.reference import Reference
from osteoserve_export.parity.runtimes import Outputs, Runtime
from osteoserve_export.parity.trials import Trial
from osteoserve_export.specification import ExportSpecification
from osteoserve_export.tensor_names import LABELS, LOGITS

#: Slices in one request; none is what the graph was traced with in every case, and the last
#: request of a study is a smaller one.
BATCHES: Final = (1, 3, 8)

#: Share of all trial pixels that each label must have at least, and background too: a network that
#: finds nothing agrees with anything that finds nothing.
LEAST_SHARE: Final = 1e-4


@dataclass(frozen=True)
class Row:
    """One comparison.

    Args:
        runtime: With its version.
        study: Name of the trial.
        shape: (N, H, W) of the trial.
        batch: Slices in one request.
        label: Name of the label.
        pixels: Pixels of that label in the network's own answer.
        dice: Agreement with it.
        logit_error: Largest difference of a logit relative to the study's largest logit; None
            where the runtime does not give logits.
    """

    runtime: str
    study: str
    shape: tuple[int, int, int]
    batch: int
    label: str
    pixels: int
    dice: float
    logit_error: float | None = None

    @property
    def where(self) -> str:
        """What was compared, in words."""
        return f"{self.runtime}, {self.study}, {self.label}"


@dataclass(frozen=True, eq=False)
class Expected:
    """What the network itself answers to a trial.

    Args:
        trial: The trial.
        logits: (N, K, H, W) float32.
        labels: (N, H, W) uint8.
    """

    trial: Trial
    logits: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]


def expectations(
    reference: Reference, trials: Sequence[Trial], asked: ExportSpecification
) -> tuple[Expected, ...]:
    """Ask the network itself.

    Raises:
        ParityError: It does not give as many classes as there are labels, or the trials show one
            of its labels nowhere: then agreement would prove nothing.
    """
    answers = []
    for trial in trials:
        logits = reference.logits(trial.slices)
        if logits.shape[1] != asked.output_channels:
            raise ParityError(
                f"the network has {logits.shape[1]} output channels; {len(asked.labels)} labels "
                f"with {asked.activation} need {asked.output_channels}"
            )
        if not np.isfinite(logits).all():
            raise ParityError(f"the network answers {trial.name} with numbers that are not finite")
        answers.append(Expected(trial, logits, reference.labels(logits)))
    _check_expressive(answers, label_names(asked))
    return tuple(answers)


def compare_runtime(
    name: str,
    runtime: Runtime,
    expected: Sequence[Expected],
    asked: ExportSpecification,
    *,
    batches: Sequence[int] = BATCHES,
) -> tuple[Row, ...]:
    """Run a file on every trial at every batch size.

    Args:
        name: How the report calls it.
        runtime: With the file loaded.
        expected: The network's own answers.
        asked: Labels.
        batches: Slices in one request.

    Raises:
        ParityError: An answer has another type or shape, or holds what is no label.
    """
    rows: list[Row] = []
    for item in expected:
        for batch in batches:
            answer = _in_batches(runtime, item.trial.slices, batch)
            error = _logit_error(answer.get(LOGITS), item.logits)
            rows += _rows(name, item, batch, answer[LABELS], error, asked)
    return tuple(rows)


def compare_labels(
    name: str,
    expected: Expected,
    batch: int,
    labels: npt.NDArray[np.uint8],
    asked: ExportSpecification,
) -> tuple[Row, ...]:
    """Rows for labels that came another way, such as through Triton."""
    return tuple(_rows(name, expected, batch, labels, None, asked))


def check(rows: Sequence[Row], asked: ExportSpecification) -> None:
    """Refuse what does not agree.

    Raises:
        ParityError: A Dice is too low or a logit too far off; says by how much, and where.
    """
    worst = least_agreeing(rows)
    if worst.dice < asked.required_dice:
        raise ParityError(
            f"{worst.runtime} agrees with PyTorch on {worst.label} only to a Dice of "
            f"{worst.dice:.5f} (needed: {asked.required_dice}), in {worst.study} in batches of "
            f"{worst.batch}"
        )
    off = [row for row in rows if (row.logit_error or 0.0) > asked.logit_tolerance]
    if off:
        row = max(off, key=lambda row: row.logit_error or 0.0)
        raise ParityError(
            f"{row.runtime}: a logit is off by {row.logit_error:.2g} of the largest (allowed: "
            f"{asked.logit_tolerance}), in {row.study} in batches of {row.batch}"
        )


def least_agreeing(rows: Sequence[Row]) -> Row:
    """The comparison with the smallest Dice."""
    return min(rows, key=lambda row: row.dice)


def label_names(asked: ExportSpecification) -> dict[int, str]:
    """Names by value."""
    return {label.value: label.name for label in asked.labels}


def _check_expressive(answers: Sequence[Expected], names: Mapping[int, str]) -> None:
    total = sum(item.labels.size for item in answers)
    for value, name in {0: "background", **names}.items():
        share = sum(int(np.count_nonzero(item.labels == value)) for item in answers) / total
        if share < LEAST_SHARE:
            raise ParityError(
                f"no proof: the network finds {name} in {share:.1e} of the trial pixels; give a "
                "study that shows it (--study)"
            )


def _rows(
    runtime: str,
    item: Expected,
    batch: int,
    labels: npt.NDArray[np.uint8],
    error: float | None,
    asked: ExportSpecification,
) -> list[Row]:
    shape = item.labels.shape
    try:
        agreements = compare_masks(item.labels, labels, label_names(asked))
    except ParityError as wrong:
        raise ParityError(f"{runtime}, {item.trial.name}: {wrong}") from wrong
    return [
        Row(
            runtime,
            item.trial.name,
            (shape[0], shape[1], shape[2]),
            batch,
            agreement.label,
            agreement.pixels,
            agreement.dice,
            error,
        )
        for agreement in agreements
    ]


def _in_batches(runtime: Runtime, slices: npt.NDArray[np.uint8], batch: int) -> Outputs:
    parts = [runtime.run(slices[n : n + batch]) for n in range(0, len(slices), batch)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _logit_error(
    found: npt.NDArray[np.float32] | None, expected: npt.NDArray[np.float32]
) -> float | None:
    if found is None:
        return None
    if found.shape != expected.shape:
        raise ParityError(f"the logits have shape {found.shape}, not {expected.shape}")
    return float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-30))
