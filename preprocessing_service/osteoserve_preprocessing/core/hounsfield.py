"""Whether numbers can be Hounsfield units at all.

A file that lost its rescale intercept, a picture saved as grey values or a volume that was scaled
to 0..1 loads without complaint and gives a mask that looks like one. HU are recognised by what
every scan of a body holds: air or fat below water, and tissue near it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.errors import VoxelError

#: At and below this, voxels are padding outside the field of view (-1500, -2000, -3024, -32768
#: are met), not measured: air is -1000 HU, and noise takes it to -1100 at most.
PADDING_HU = -1100
#: Below this lie air, lung and fat (-120..-60 HU), and no noise around water or around a stored
#: zero takes a thousandth of a volume there.
FAT_HU = -30
#: Water, fat, muscle, organs, marrow: every scan of a body has voxels in this range.
TISSUE_HU = (-200, 200)
#: Up to here, a volume is air, and nothing can be said about it.
AIR_HU = -900
#: Share of the measured voxels that counts as present. Crops inside a thigh hold 10 % of fat.
PRESENT = 1e-3
#: Voxels looked at; larger volumes are sampled in every n-th slice, row and column.
SAMPLED = 4_000_000


def check_hounsfield(voxels: npt.NDArray[np.int16]) -> None:
    """Refuse voxels that cannot be Hounsfield units.

    Any range that scanners write is taken: cropped limbs, 12 bits (-1024..3071), the extended
    scale (to 30,710), metal, padding far below air, and a volume of nothing but air.

    Args:
        voxels: (Z, Y, X) int16.

    Raises:
        VoxelError: The dtype is not int16; there is nothing below water, as of a missing rescale
            intercept or an image of grey values; or there is no tissue, as of an intercept that
            was applied twice.
    """
    if voxels.dtype != np.int16 or voxels.ndim != 3 or voxels.size == 0:
        raise VoxelError(f"voxels must be (Z, Y, X) int16 HU, not {voxels.dtype} {voxels.shape}")
    counts = _histogram(voxels)
    hounsfield = np.arange(counts.size) - 32768
    measured = counts[hounsfield > PADDING_HU].sum()
    if measured == 0:
        raise VoxelError(f"values cannot be HU: all lie at or below {PADDING_HU}")
    if counts[hounsfield > AIR_HU].sum() == 0:
        return
    below_water = counts[(hounsfield > PADDING_HU) & (hounsfield < FAT_HU)].sum()
    if below_water < PRESENT * measured:
        raise VoxelError(_nothing_below_water(counts, hounsfield))
    tissue = counts[(hounsfield >= TISSUE_HU[0]) & (hounsfield <= TISSUE_HU[1])].sum()
    if tissue < PRESENT * counts.sum():
        raise VoxelError(
            "values cannot be HU: no tissue between "
            f"{TISSUE_HU[0]} and {TISSUE_HU[1]}; was the rescale applied twice?"
        )


def _histogram(voxels: npt.NDArray[np.int16]) -> npt.NDArray[np.int64]:
    """(65536,) voxels of each value from -32768 up."""
    step = max(1, round((voxels.size / SAMPLED) ** (1 / 3)))
    sample = np.ascontiguousarray(voxels[::step, ::step, ::step]).view(np.uint16)
    return np.roll(np.bincount(sample.ravel(), minlength=65536), 32768)


def _nothing_below_water(counts: npt.NDArray[np.int64], hounsfield: npt.NDArray[np.int64]) -> str:
    present = hounsfield[(counts > 0) & (hounsfield > PADDING_HU)]
    lowest, highest = int(present[0]), int(present[-1])
    if highest <= 255:
        reason = "an image of grey values or one that was normalised"
    else:
        reason = "the rescale intercept seems to be missing"
    return f"values cannot be HU: {lowest}..{highest}, with neither air nor fat; {reason}"
