"""Sections of a volume: neighbouring slices that are cut to one rectangle around the body.

Legs, head and trunk are of different sizes, so one rectangle for a whole volume holds much air.
What a slice is cut to must not depend on how slices are dealt out to requests: sections are counted
from the first slice of the volume, whatever is asked together afterwards.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.sampling import InPlaneSampling

#: Slices of a section. Of a whole-body phantom of 500 slices one rectangle for each 16 has 0.60 of
#: the area of one for all, 0.55 for each slice, 0.64 for 32, 0.67 for 64.
SECTION: Final = 16


def spans(slices: range) -> list[range]:
    """Deal slices of a volume out to sections: all of them, in order, the last span shorter."""
    return [slices[first : first + SECTION] for first in range(0, len(slices), SECTION)]


class Section:
    """One section as the network sees it.

    Slices without anything above the window's floor hold nothing, and are not shown to it.

    Args:
        grey: (n, Y, X) uint8, grey values of the section's slices.
        sampling: Between the study's pixels and the network's matrix, the whole of it.
    """

    def __init__(self, grey: npt.NDArray[np.uint8], sampling: InPlaneSampling) -> None:
        self._filled = grey.any(axis=(1, 2))
        # Nearly always; then nothing is copied to leave some out.
        self._all_filled = bool(self._filled.all())
        shown = grey if self._all_filled else grey[self._filled]
        self._around, self._seen = sampling.cut(shown)

    @property
    def seen(self) -> npt.NDArray[np.uint8]:
        """(N, H, W) uint8, what the network sees; N is 0 where there is nothing to see."""
        return self._seen

    def labels(self, answer: npt.NDArray[np.uint8], highest: int) -> npt.NDArray[np.uint8]:
        """Bring the network's labels back to the study's pixels.

        Args:
            answer: (N, H, W) uint8, the labels of ``seen``.
            highest: The highest value that a label can have.

        Returns:
            (n, Y, X) uint8, of all slices of the section.

        Raises:
            OptionError: A label is above ``highest``.
        """
        found = self._around.backward(answer, highest)
        if self._all_filled:
            return found
        labels = np.zeros((len(self._filled), *self._around.shape), dtype=np.uint8)
        labels[self._filled] = found
        return labels
