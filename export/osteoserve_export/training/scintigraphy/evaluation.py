"""How well regions are found: precision, sensitivity and F1 of pixels (Yu 2023, equations 1-3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from osteoserve_export.graphs.detection import DetectionGraph
from osteoserve_export.training.scintigraphy.pairs import REGIONS, VIEWS, ScintigraphyPair
from osteoserve_preprocessing.core.mask_paste import paste_masks
from osteoserve_preprocessing.core.scintigram import ComposedViews, compose_views
from osteoserve_preprocessing.inference.detections import OUTPUTS, Detections, unpack_detections
from osteoserve_preprocessing.metrics import Confusion

#: A detection of a lower score is no region.
LEAST_SCORE: Final = 0.5

Mask = npt.NDArray[np.bool_]


def evaluate_regions(
    graph: DetectionGraph, pairs: Sequence[ScintigraphyPair]
) -> dict[str, Confusion]:
    """Find regions in bone scans, and count the pixels of each over all of them.

    Args:
        graph: The network as it is served.
        pairs: Bone scans and their true regions.

    Returns:
        Counts by region. A region's pixels are those of all its detections together.
    """
    counts = dict.fromkeys(REGIONS, Confusion(0, 0, 0, 0))
    for pair in pairs:
        composed = compose_views(pair.counts["anterior"], pair.counts["posterior"])
        found, true = _found(graph, composed.image), _true(pair, composed)
        for label, name in enumerate(REGIONS, start=1):
            counts[name] += Confusion.of(found[label], true[label])
    return counts


def detect(graph: DetectionGraph, image: npt.NDArray[np.uint8]) -> Detections:
    """Find regions in one image.

    Args:
        graph: The network as it is served.
        image: (950, 512) uint8.
    """
    with torch.inference_mode():
        outputs = graph(torch.from_numpy(image)[None])
    (detections,) = unpack_detections(
        {name: tensor.numpy() for name, tensor in zip(OUTPUTS, outputs, strict=True)}
    )
    return detections


def _found(graph: DetectionGraph, image: npt.NDArray[np.uint8]) -> dict[int, Mask]:
    detections = detect(graph, image)
    height, width = image.shape
    pasted = paste_masks(detections.boxes, detections.masks, (height, width))
    sure = detections.scores >= LEAST_SCORE
    return {
        label: pasted[sure & (detections.labels == label)].any(axis=0)
        for label in range(1, len(REGIONS) + 1)
    }


def _true(pair: ScintigraphyPair, composed: ComposedViews) -> dict[int, Mask]:
    shown = np.zeros(composed.image.shape, dtype=np.uint8)
    for view in VIEWS:
        table = np.array([0, *pair.labels[view]], dtype=np.uint8)
        shown += composed.cut(table[pair.instances[view]], view)
    return {label: shown == label for label in range(1, len(REGIONS) + 1)}
