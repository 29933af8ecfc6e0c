"""One line of a proof: how well a runtime agrees with the network on one label of one study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from osteoserve_export.errors import ParityError


@dataclass(frozen=True)
class Row:
    """One comparison of label masks.

    Args:
        runtime: With its version.
        study: Name of the trial.
        shape: (N, H, W) of the trial.
        batch: Images in one request.
        label: Name of the label.
        pixels: Pixels of that label in the network's own answer.
        dice: Agreement with it.
        logit_error: Largest difference of a logit relative to the study's largest logit; None
            where the runtime does not give logits, and for detections.
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


def least_agreeing(rows: Iterable[Row]) -> Row:
    """The comparison with the smallest Dice."""
    return min(rows, key=lambda row: row.dice)


def check_dice(rows: Iterable[Row], required: float) -> None:
    """Refuse masks that do not agree.

    Raises:
        ParityError: A Dice is too low; says by how much, and where.
    """
    worst = least_agreeing(rows)
    if worst.dice < required:
        raise ParityError(
            f"{worst.runtime} agrees with PyTorch on {worst.label} only to a Dice of "
            f"{worst.dice:.5f} (needed: {required}), in {worst.study} in batches of {worst.batch}"
        )
