"""Which axial slices lie between the knees and the head (Milara 2024, "Image Clipping").

The paper starts at the first slice in which a femur is visible, seen from the feet, and leaves
the head out; it does not say how they were found. Here both are found from the bones, and where
the anatomy does not read clearly, nothing is clipped and a warning says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from osteoserve_preprocessing.core.coarse import Coarse, CoarseRange, Mask, coarsen
from osteoserve_preprocessing.core.stretcher.body import find_patient
from osteoserve_preprocessing.geometry import Volume

#: Above this lies the cortex of every long bone and of the skull, and little contrast medium.
BONE_HU = 250
#: HU of brain, which the skull encloses; the lung that ribs may enclose is far below.
BRAIN_HU = (-20, 90)
#: Axial area of brain in a slice of the vault, cm2, and the height over which it is found, mm.
SMALLEST_VAULT_CM2, SHORTEST_VAULT_MM = 50.0, 30.0
#: The narrowest slice of the neck lies so far below the lowest slice of the vault, mm.
NECK_BELOW_VAULT_MM = (40.0, 180.0)
#: Area of the neck as a share of the head's; more is no neck.
LARGEST_NECK_SHARE = 0.85
#: Legs have no bone so near the midline, mm; spine, sacrum and pubis do.
MIDLINE_MM = 12.0
#: Area with marrow of the largest bone in a slice, cm2: a shaft has less than the first, a knee
#: more than the second; a shaft is at least so long, mm.
LARGEST_SHAFT_CM2, SMALLEST_KNEE_CM2, SHORTEST_SHAFT_MM = 14.0, 20.0, 60.0

#: Less than this, in mm, is no trunk, and what seemed to be knee and neck was something else.
SHORTEST_KEPT_MM = 100.0


@dataclass(frozen=True)
class Clip:
    """The slices that are kept.

    Args:
        kept: Their indices in the canonical volume, counted from the feet.
        warnings: What could not be told; each one line.
    """

    kept: range
    warnings: tuple[str, ...]


def clip_femur_to_head(volume: Volume) -> Clip:
    """Find the slices from the first femur slice to below the head.

    Args:
        volume: Canonical.

    Returns:
        All slices from the middle of the knee up to the narrowest of the neck. Where there is no
        knee, or no head, all on that side.
    """
    coarse = coarsen(volume)
    patient = find_patient(coarse, BONE_HU)
    bone = patient & (coarse.highest > BONE_HU)
    first, below = _knee(coarse, bone)
    end, above = _neck(coarse, patient, bone)
    slices = volume.geometry.shape[0]
    start = 0 if first is None else first * coarse.step[0]
    stop = slices if end is None else min(end * coarse.step[0], slices)
    clipped = slices - max(0, stop - start)
    if clipped and (stop - start) * volume.geometry.spacing[0] < SHORTEST_KEPT_MM:
        return Clip(range(slices), ("axial clipping: too little was left, so all was kept",))
    return Clip(range(start, stop), tuple(filter(None, (below, above))))


def _neck(coarse: CoarseRange, patient: Mask, bone: Mask) -> tuple[int | None, str]:
    """Slice (of cells) of the narrowest neck below the lowest slice of the cranial vault."""
    brain = np.array([_brain_cells(coarse, k, bone[k]) for k in range(len(bone))])
    vault = _runs(brain * coarse.cell_cm2 >= SMALLEST_VAULT_CM2, coarse, SHORTEST_VAULT_MM)
    if not vault:
        return None, "axial clipping: no head was found, so none was left out"
    lowest = vault[-1].start
    # The head as it is at its widest, and the part of the patient below it that is nearest.
    widest = vault[-1].start + int(np.argmax(brain[vault[-1].start : vault[-1].stop]))
    centre = ndimage.center_of_mass(patient[widest])
    near, far = (round(mm / coarse.spacing[0]) for mm in NECK_BELOW_VAULT_MM)
    candidates = range(max(0, lowest - far), max(0, lowest - near + 1))
    areas = [_nearest_part(patient[k], centre) for k in candidates]
    unsure = "axial clipping: the neck did not show below the head, so the head was kept"
    if not areas or not 0 < min(areas) <= LARGEST_NECK_SHARE * _nearest_part(
        patient[widest], centre
    ):
        return None, unsure
    return candidates[int(np.argmin(areas))] + 1, ""


def _brain_cells(coarse: CoarseRange, k: int, bone: Mask) -> int:
    """Cells of the largest cavity that bone encloses in a slice, where it holds brain."""
    parts = cc3d.connected_components(_enclosed(bone), connectivity=4)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    largest = int(np.argmax(sizes))
    if sizes[largest] == 0:
        return 0
    middle = np.median(coarse.lowest[k][parts == largest])
    return int(sizes[largest]) if BRAIN_HU[0] <= middle <= BRAIN_HU[1] else 0


def _nearest_part(section: Mask, centre: tuple[float, ...]) -> int:
    """Cells of that part of a slice of the patient whose middle is nearest to a point."""
    parts = cc3d.connected_components(section, connectivity=8)
    numbers = np.arange(1, int(parts.max()) + 1)
    if numbers.size == 0:
        return 0
    middles = np.array(ndimage.center_of_mass(section, parts, numbers))
    nearest = int(np.argmin(np.abs(middles - np.array(centre)).sum(axis=1)))
    return int(np.count_nonzero(parts == numbers[nearest]))


def _knee(coarse: Coarse, bone: Mask) -> tuple[int | None, str]:
    """Slice (of cells) of the middle of the knee, between the shafts of tibia and femur."""
    legs = _legs(coarse, bone)
    if legs is None:
        return None, "axial clipping: no trunk was found, so nothing was left out below it"
    areas = np.array([_largest_bone(bone[k]) for k in range(legs)]) * coarse.cell_cm2
    shafts = _runs((areas > 0) & (areas <= LARGEST_SHAFT_CM2), coarse, SHORTEST_SHAFT_MM)
    if len(shafts) < 2:
        return None, ""
    tibia, femur = shafts[-2:]
    between = areas[tibia.stop : femur.start]
    if between.size == 0 or between.max() < SMALLEST_KNEE_CM2:
        return None, "axial clipping: the knee did not show, so all slices below were kept"
    wide = tibia.stop + np.flatnonzero(between >= SMALLEST_KNEE_CM2)
    return round(float(wide.mean())), ""


def _legs(coarse: Coarse, bone: Mask) -> int | None:
    """How many slices from the feet up show legs alone; None where there is no trunk."""
    columns = bone.any(axis=1)
    per_column = columns.sum(axis=0)
    if per_column.sum() == 0:
        return None
    # Spine and skull lie on the midline in most slices: it halves the bones' columns.
    midline = float((per_column * np.arange(per_column.size)).sum() / per_column.sum())
    reach = MIDLINE_MM / coarse.spacing[2]
    first, end = max(0, round(midline - reach)), round(midline + reach) + 1
    trunk = _runs(columns[:, first:end].any(axis=1), coarse, SHORTEST_SHAFT_MM)
    return trunk[0].start if trunk else None


def _largest_bone(bone: Mask) -> int:
    """Cells, marrow included, of the largest bone in a slice."""
    parts = cc3d.connected_components(bone | _enclosed(bone), connectivity=8)
    sizes = np.bincount(parts.ravel())
    return int(sizes[1:].max()) if sizes.size > 1 else 0


def _enclosed(bone: Mask) -> Mask:
    """What bone encloses in a slice: all that does not hang together with the border."""
    outside = cc3d.connected_components(np.pad(~bone, 1, constant_values=True), connectivity=4)
    enclosed: Mask = (outside != outside[0, 0])[1:-1, 1:-1] & ~bone
    return enclosed


def _runs(true: npt.NDArray[np.bool_], coarse: Coarse, shortest_mm: float) -> list[range]:
    """Runs of slices that hold, at least so long in mm, from the feet up."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], true, [False]]).astype(np.int8)))
    runs = [range(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return [run for run in runs if len(run) * coarse.spacing[0] >= shortest_mm]
