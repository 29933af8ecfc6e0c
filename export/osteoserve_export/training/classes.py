"""What a network tells apart: background, and regions of which each lies inside the one before.

A skeleton network knows one region, bone. Krawczyk 2021 knows two, "patient outline" and bone in
it. Since they are nested, the regions that a voxel lies in tell its class by their number: none is
background, 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from osteoserve_export.training.pairs import BONE, IGNORED, TrainingPair
from osteoserve_export.training.pseudo_labels import body

#: Names of the classes without background, from the outermost to the innermost region.
CLASSES: Final = (("bone",), ("patient", "bone"))


def regions(pair: TrainingPair, classes: Sequence[str]) -> tuple[npt.NDArray[np.bool_], ...]:
    """Where the classes lie, from the outermost to the innermost.

    The patient is all that the skin encloses: gas in lungs and bowel is the patient's, as in the
    outlines of Krawczyk 2021. It is found in the image, for a label file of bones does not say.
    Bone that it leaves out, as at the edge of the field of view, is the patient's too.

    Args:
        pair: The study and its bones.
        classes: One of ``CLASSES``.

    Returns:
        (Z, Y, X) bool for each class; each lies inside the one before.
    """
    bone = pair.target == BONE
    if "patient" in classes:
        return (body(pair.volume) | bone, bone)
    return (bone,)


def class_target(pair: TrainingPair, classes: Sequence[str]) -> npt.NDArray[np.uint8]:
    """The class of every voxel.

    Args:
        pair: The study and its bones.
        classes: One of ``CLASSES``.

    Returns:
        (Z, Y, X) uint8: 0 background, 1 the first class and so on; 255 where nobody knows whether
        it is bone.
    """
    target = np.sum(regions(pair, classes), axis=0, dtype=np.uint8)
    target[pair.target == IGNORED] = IGNORED
    return np.asarray(target)
