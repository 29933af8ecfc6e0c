"""How good a mask is: a study segmented as it is served, and counted against its reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from osteoserve_export.errors import PairError
from osteoserve_export.specification.values import PIXEL_SPACING_MM, PIXEL_SPACING_RANGE_MM
from osteoserve_export.training.pairs import IGNORED
from osteoserve_preprocessing.core import (
    PreprocessingOptions,
    Section,
    StretcherMethod,
    Window,
    in_plane_sampling,
    preprocess,
    spans,
)
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.metrics import Confusion

#: From (N, H, W) uint8 grey values to (N, H, W) uint8 labels: a network, however it is run.
Segmenter = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]


def compare(
    predicted: npt.NDArray[np.uint8], target: npt.NDArray[np.uint8], label: int = 1
) -> Confusion:
    """Count the voxels of one class.

    Args:
        predicted: Any shape, uint8, the classes.
        target: Same shape, uint8: the classes, or 255, which is not counted.
        label: The class.

    Returns:
        The four counts.

    Raises:
        PairError: The shapes differ.
    """
    if predicted.shape != target.shape:
        raise PairError(f"masks of {predicted.shape} and {target.shape} cannot be compared")
    known = target != IGNORED
    return Confusion.of(predicted[known] == label, target[known] == label)


def segment(
    segmenter: Segmenter,
    volume: Volume,
    *,
    window: Window | None = None,
    classes: int = 1,
    size_multiple: int = 16,
    stretcher: StretcherMethod = StretcherMethod.BODY,
    batch: int = 8,
) -> npt.NDArray[np.uint8]:
    """Segment a study the way it is served.

    Args:
        segmenter: The network.
        volume: Canonical, HU.
        window: Range of HU that the network sees; 0..300 unless given.
        classes: That it tells apart, background left out.
        size_multiple: What H and W must be multiples of.
        stretcher: How the scanner table is found.
        batch: Slices in one pass; does not change the result.

    Returns:
        (Z, Y, X) uint8, labels on the volume's grid.
    """
    options = PreprocessingOptions(stretcher=stretcher, window=window or Window())
    prepared = preprocess(volume, options)
    sampling = in_plane_sampling(
        prepared.geometry,
        nominal_mm=PIXEL_SPACING_MM,
        range_mm=PIXEL_SPACING_RANGE_MM,
        size_multiple=size_multiple,
        cut_to_body=True,
    )
    labels = np.zeros(volume.geometry.shape, dtype=np.uint8)
    for span in spans(prepared.clip):
        section = Section(prepared.grey.of(span), sampling)
        seen = section.seen
        if len(seen):
            parts = [segmenter(seen[n : n + batch]) for n in range(0, len(seen), batch)]
            labels[span.start : span.stop] = section.labels(np.concatenate(parts), classes)
    return labels
