"""Whether a network may be shown the body alone: it must answer as it does on whole slices.

The service cuts air away before it asks. A network of convolutions hardly notices; one that sees a
slice as a whole, normalised by its own mean or with attention, would label something else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osteoserve_export.parity.masks import compare_masks
from osteoserve_export.parity.proof import Expected
from osteoserve_export.parity.reference import Reference
from osteoserve_export.parity.rows import Row, least_agreeing
from osteoserve_export.specification import LEAST_DICE, SegmentationSpecification
from osteoserve_preprocessing.core import InPlaneSampling

#: As much as is required of fp32, whatever the user requires of a runtime.
REQUIRED_DICE = LEAST_DICE["fp32"]


@dataclass(frozen=True)
class Cutting:
    """How well a network agrees with itself on slices that are cut to the body.

    Args:
        rows: One for each study and label; at least one.
    """

    rows: tuple[Row, ...]

    @property
    def agrees(self) -> bool:
        """Whether slices may be cut."""
        return least_agreeing(self.rows).dice >= REQUIRED_DICE

    @property
    def note(self) -> str:
        """What follows, for a reader."""
        return f"Slices are {'cut to the body' if self.agrees else 'shown whole'}: {self.worst}."

    @property
    def worst(self) -> str:
        """Where it agrees least, in words."""
        least = least_agreeing(self.rows)
        return (
            f"cut and whole, PyTorch labels {least.label} alike to a Dice of {least.dice:.5f} "
            f"({least.study}; needed: {REQUIRED_DICE})"
        )


def compare_cut(
    reference: Reference,
    expected: Iterable[Expected],
    asked: SegmentationSpecification,
    *,
    size_multiple: int,
) -> Cutting:
    """Ask the network once more, for slices of which each is cut to its own body.

    The service cuts sections of neighbouring slices to one rectangle, which is never a smaller one.

    Args:
        reference: The network itself.
        expected: Its answers on whole slices that show air around a body.
        asked: Labels.
        size_multiple: H and W are multiples of it.
    """
    rows: list[Row] = []
    for item in expected:
        count, height, width = item.trial.images.shape
        labels = _labels_of_cut(reference, item, max(asked.label_names), size_multiple)
        shape = (count, height, width)
        rows += [
            Row("PyTorch, cut", item.trial.name, shape, 1, one.label, one.pixels, one.dice)
            for one in compare_masks(item.labels, labels, asked.label_names)
        ]
    return Cutting(tuple(rows))


def _labels_of_cut(
    reference: Reference, item: Expected, highest: int, size_multiple: int
) -> npt.NDArray[np.uint8]:
    """(N, H, W) labels; of a slice with nothing in it, which is never asked for, those of whole."""
    images, labels = item.trial.images, item.labels.copy()
    _, height, width = images.shape
    pixels = (1.0, 1.0)
    sampling = InPlaneSampling((height, width), pixels, pixels, size_multiple, cut_to_body=True)
    for n in np.flatnonzero(images.any(axis=(1, 2))):
        around, seen = sampling.cut(images[n : n + 1])
        labels[n] = around.backward(reference.labels(reference.logits(seen)), highest)[0]
    return labels
