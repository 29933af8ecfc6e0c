"""Parity of label maps: every study, every label, every runtime, several batch sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from osteoserve_export.errors import ParityError
from osteoserve_export.parity.masks import compare_masks
from osteoserve_export.parity.reference import Reference
from osteoserve_export.parity.rows import Row, check_dice, least_agreeing
from osteoserve_export.parity.runtimes import Runtime, in_batches
from osteoserve_export.parity.trials import Trial
from osteoserve_export.specification import SegmentationSpecification
from osteoserve_export.tensor_names import LABELS, LOGITS

#: Slices in one request; none is what the graph was traced with in every case, and the last
#: request of a study is a smaller one.
BATCHES: Final = (1, 3, 8)

#: Share of all trial pixels that each label must have at least, and background too: a network that
#: finds nothing agrees with anything that finds nothing.
LEAST_SHARE: Final = 1e-4


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


@dataclass(frozen=True)
class SegmentationProof:
    """Every comparison of one export.

    Args:
        asked: What has to be reached.
        rows: The comparisons; at least one.
    """

    asked: SegmentationSpecification
    rows: tuple[Row, ...]

    @property
    def least(self) -> Row:
        """The comparison with the smallest Dice."""
        return least_agreeing(self.rows)

    @property
    def logit_error(self) -> float | None:
        """Largest relative difference of a logit; None where no logits were compared."""
        errors = [row.logit_error for row in self.rows if row.logit_error is not None]
        return max(errors, default=None)

    def check(self) -> None:
        """Refuse what does not agree.

        Raises:
            ParityError: A Dice is too low or a logit too far off; says by how much, and where.
        """
        check_dice(self.rows, self.asked.required_dice)
        allowed = self.asked.logit_tolerance
        row = max(self.rows, key=lambda row: row.logit_error or 0.0)
        if (row.logit_error or 0.0) > allowed:
            raise ParityError(
                f"{row.runtime}: a logit is off by {row.logit_error:.2g} of the largest (allowed: "
                f"{allowed}), in {row.study} in batches of {row.batch}"
            )


def expectations(
    reference: Reference, trials: Sequence[Trial], asked: SegmentationSpecification
) -> tuple[Expected, ...]:
    """Ask the network itself, for answers that can prove something.

    Raises:
        ParityError: As `answers`; or they are probabilities where a threshold needs logits; or the
            trials show one of its labels nowhere: then agreement would prove nothing.
    """
    found = answers(reference, trials, asked)
    if asked.activation == "threshold":
        _check_logits(found)
    _check_expressive(found, asked.label_names)
    return found


def answers(
    reference: Reference, trials: Sequence[Trial], asked: SegmentationSpecification
) -> tuple[Expected, ...]:
    """Ask the network itself.

    Raises:
        ParityError: It does not give as many classes as there are labels, or answers with numbers
            that are not finite.
    """
    found = []
    for trial in trials:
        logits = reference.logits(trial.images)
        if logits.shape[1] != asked.output_channels:
            raise ParityError(
                f"the network has {logits.shape[1]} output channels; {len(asked.labels)} labels "
                f"with {asked.activation} need {asked.output_channels}"
            )
        if not np.isfinite(logits).all():
            raise ParityError(f"the network answers {trial.name} with numbers that are not finite")
        found.append(Expected(trial, logits, reference.labels(logits)))
    return tuple(found)


def compare_runtime(
    name: str,
    runtime: Runtime,
    expected: Sequence[Expected],
    asked: SegmentationSpecification,
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
            answer = in_batches(runtime, item.trial.images, batch)
            error = _logit_error(answer.get(LOGITS), item.logits)
            rows += _rows(name, item, batch, answer[LABELS], error, asked)
    return tuple(rows)


def compare_labels(
    name: str,
    expected: Expected,
    batch: int,
    labels: npt.NDArray[np.uint8],
    asked: SegmentationSpecification,
) -> tuple[Row, ...]:
    """Rows for labels that came another way, such as through Triton."""
    return tuple(_rows(name, expected, batch, labels, None, asked))


def _check_logits(expected: Sequence[Expected]) -> None:
    # A threshold of one half is one of 0 to logits, above which every probability lies.
    if all(item.logits.min() >= 0.0 and item.logits.max() <= 1.0 for item in expected):
        raise ParityError(
            "the network answers between 0 and 1, as behind a sigmoid: what is exported must give "
            "the logits before it"
        )


def _check_expressive(expected: Sequence[Expected], names: Mapping[int, str]) -> None:
    total = sum(item.labels.size for item in expected)
    for value, name in {0: "background", **names}.items():
        share = sum(int(np.count_nonzero(item.labels == value)) for item in expected) / total
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
    asked: SegmentationSpecification,
) -> list[Row]:
    shape = item.labels.shape
    try:
        agreements = compare_masks(item.labels, labels, asked.label_names)
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


def _logit_error(
    found: npt.NDArray[np.float32] | None, expected: npt.NDArray[np.float32]
) -> float | None:
    if found is None:
        return None
    if found.shape != expected.shape:
        raise ParityError(f"the logits have shape {found.shape}, not {expected.shape}")
    return float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-30))
