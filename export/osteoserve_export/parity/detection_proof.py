"""Every comparison of an exported detector with its network, and what they have to reach."""

from __future__ import annotations

from dataclasses import dataclass

from osteoserve_export.parity.detections import (
    DetectionAgreement,
    DetectionLimits,
    check_detections,
)
from osteoserve_export.parity.rows import Row, check_dice, least_agreeing
from osteoserve_export.specification import DetectionSpecification


@dataclass(frozen=True)
class DetectionRow:
    """One comparison.

    Args:
        runtime: With its version.
        study: Name of the trial.
        images: How many the trial has.
        batch: Images in one request.
        agreement: Of the detections.
        labels: Of the pasted masks, one for each label.
    """

    runtime: str
    study: str
    images: int
    batch: int
    agreement: DetectionAgreement
    labels: tuple[Row, ...]

    @property
    def where(self) -> str:
        """What was compared, in words."""
        return f"{self.runtime}, {self.study} in batches of {self.batch}"


@dataclass(frozen=True)
class DetectionProof:
    """Every comparison of one export.

    Args:
        asked: What has to be reached.
        rows: The comparisons; at least one.
    """

    asked: DetectionSpecification
    rows: tuple[DetectionRow, ...]

    @property
    def label_rows(self) -> tuple[Row, ...]:
        """The comparisons of pasted masks."""
        return tuple(label for row in self.rows for label in row.labels)

    @property
    def least(self) -> Row:
        """The pasted mask that agrees least."""
        return least_agreeing(self.label_rows)

    @property
    def least_rate(self) -> DetectionRow:
        """The comparison in which the smallest share of detections has a partner."""
        return min(self.rows, key=lambda row: row.agreement.rate)

    @property
    def score_error(self) -> float:
        """Largest difference of two partners' scores."""
        return max(row.agreement.score_error for row in self.rows)

    def check(self) -> None:
        """Refuse what does not agree.

        Raises:
            ParityError: Too few detections match, or their scores or masks differ; says by how
                much, and where.
        """
        limits = DetectionLimits(rate=self.asked.match_rate, score=self.asked.score_tolerance)
        for row in sorted(self.rows, key=lambda row: row.agreement.rate):
            check_detections(row.agreement, row.where, limits)
        check_dice(self.label_rows, self.asked.required_dice)
