"""What a detection model is given and what it answers: tensors of fixed size, and their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

#: Names of the model's tensors. N images, D places for detections, M mask cells along each side:
#: ``views`` (N, H, W) uint8 in; ``boxes`` (N, D, 4) float32, ``labels`` (N, D) uint8, ``scores``
#: (N, D) float32, ``masks`` (N, D, M, M) float32 and ``count`` (N,) int32 out, best first.
INPUT: Final = "views"
OUTPUTS: Final = ("boxes", "labels", "scores", "masks", "count")


@dataclass(frozen=True, eq=False)
class Detections:
    """What was found in one image.

    Args:
        boxes: (K, 4) float32, x1, y1, x2, y2, pixels.
        labels: (K,) integer, from 1.
        scores: (K,) float32, 0..1.
        masks: (K, M, M) float32, probability in the cells of each box.
    """

    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.integer[Any]]
    scores: npt.NDArray[np.float32]
    masks: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)


def unpack_detections(outputs: Mapping[str, npt.NDArray[Any]]) -> tuple[Detections, ...]:
    """Take the detections of each image out of a model's outputs.

    Args:
        outputs: Tensors by name, as `OUTPUTS` describes them.

    Raises:
        KeyError: An output is missing.
    """
    boxes, labels, scores, masks, count = (outputs[name] for name in OUTPUTS)
    return tuple(
        Detections(boxes[n, :k], labels[n, :k], scores[n, :k], masks[n, :k])
        for n, k in enumerate(count)
    )
