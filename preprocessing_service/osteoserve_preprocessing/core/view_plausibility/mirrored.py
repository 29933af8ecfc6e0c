"""Whether two views are mirror images of each other, as two opposite detectors must see them.

Parallel-hole collimators that face each other look along the same lines from both ends. Attenuation
and blur differ by depth, but the outline of the body is the same, mirrored: a raised elbow, a
tilted head or a leaning trunk lies at the right edge of one view and at the left edge of the other.
Where the views fit each other better unmirrored, one of them was flipped, or both are the same one.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from osteoserve_preprocessing.core.view_plausibility.silhouette import (
    Counts,
    Silhouette,
    silhouette,
)
from osteoserve_preprocessing.core.view_plausibility.verdict import Plausibility, judge

#: Synthetic scans as they should be: none of 188 had less than 0.22, and none of 60 whose counts
#: were thinned to a tenth less than 0.36; with one view flipped the sign is the other. Of bodies as
#: symmetric as the phantom makes them, from 0.07 to 0.23, many remain undetermined. Where each view
#: was dimmed unevenly by itself, evidence stayed above 0.15 (by a fifth, standard deviation) and
#: above 0.07 (by two fifths). No real pair of views was at hand.
LEAST_EVIDENCE: Final = 0.15

#: How far one view may be shifted against the other, shares of its rows and of its columns: heads
#: that are not quite opposite, or a frame that was not cut in its middle.
SHIFT_ROWS, SHIFT_COLUMNS = 1 / 40, 1 / 6


def check_pair_mirrored(anterior: Counts, posterior: Counts) -> Plausibility:
    """Check that the posterior view is a mirror image of the anterior one.

    What is compared is how much of each view the other one leaves unexplained, once mirrored and
    once as it is: evidence is (u - m) / (u + m), where m is 1 less the best correlation of the
    silhouettes over small shifts with the posterior view mirrored, and u the same without. It lies
    in -1..1, is 0 for a body that is its own mirror image, and changes its sign when one of the
    views is flipped. Views exchanged as a whole, and both flipped alike, look the same to it.

    Args:
        anterior: (Y, X) counts, rows from the head to the feet, columns to the patient's left.
        posterior: The same shape; columns to the patient's right.
    """
    front, back = silhouette(anterior), silhouette(posterior)
    mirrored = 1 - _best_correlation(front, back[:, ::-1])
    unmirrored = 1 - _best_correlation(front, back)
    unexplained = mirrored + unmirrored
    # Below rounding both fit exactly: a body that is symmetric to the last count.
    evidence = (unmirrored - mirrored) / unexplained if unexplained > 1e-9 else 0.0
    return judge(
        evidence,
        LEAST_EVIDENCE,
        plausible="the outlines of the two views are mirror images of each other",
        implausible="the two views are not mirror images of each other: check whether one was "
        "flipped, or both frames are the same view",
        undetermined="the body is too symmetric, or its outlines differ too much, to show whether "
        "one of the views was flipped",
    )


def _best_correlation(first: Silhouette, second: Silhouette) -> float:
    """Highest correlation coefficient over all shifts that are allowed; there is air around."""
    rows, columns = first.shape
    down, across = max(1, round(SHIFT_ROWS * rows)), max(1, round(SHIFT_COLUMNS * columns))
    size = (rows + down, columns + across)
    product = np.fft.irfft2(
        np.fft.rfft2(first, size) * np.fft.rfft2(second, size).conj(), size
    ) / float(np.prod(size))
    shifts = np.ix_(np.arange(-down, down + 1), np.arange(-across, across + 1))
    mean = [image.sum() / np.prod(size) for image in (first, second)]
    spread = [
        np.sqrt(np.square(image).sum() / np.prod(size) - m**2)
        for image, m in zip((first, second), mean, strict=True)
    ]
    return float((product[shifts].max() - mean[0] * mean[1]) / (spread[0] * spread[1]))
