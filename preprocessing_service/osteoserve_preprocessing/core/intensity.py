"""From Hounsfield units to the grey values 0..255 that a network sees.

A voxel's grey value depends on its HU alone, so window and normalisation are one table of all
65,536 int16 values. That is exact however the volume is cut into chunks, makes no float copy of
it, and costs one pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.options import INT16_MAX, INT16_MIN, Normalisation, Window
from osteoserve_preprocessing.core.voxel_mask import VoxelMask

#: Number of grey values less one: the 255 of Milara 2024, equation 1.
WHITE = 255


def grey_table(darkest: int, brightest: int) -> npt.NDArray[np.uint8]:
    """Grey value of every int16 HU, by Milara 2024, equation 1.

    ``255 * (v - darkest) / (brightest - darkest)``, limited to 0..255 and rounded half up, in
    whole numbers throughout. The paper says only that values "are converted to integers";
    rounding keeps the mean of the grey values that of the HU, flooring would darken them.

    Args:
        darkest: HU that becomes 0, as does everything below.
        brightest: HU that becomes 255, as does everything above. Where it equals ``darkest``
            (a constant volume) every value becomes 0, as background.

    Returns:
        (65536,) uint8, indexed by the HU's bits read as uint16.
    """
    hounsfield = np.arange(INT16_MIN, INT16_MAX + 1, dtype=np.int64)
    span = brightest - darkest
    if span == 0:
        return np.zeros(hounsfield.size, dtype=np.uint8)
    above = np.clip(hounsfield, darkest, brightest) - darkest
    grey = (2 * WHITE * above + span) // (2 * span)
    # Two's complement: 0..32767 come first, -32768..-1 after them.
    return np.roll(grey.astype(np.uint8), INT16_MIN)


def inpatient_limits(
    voxels: npt.NDArray[np.int16], removed: VoxelMask, kept: range, window: Window
) -> tuple[int, int]:
    """The volume's own minimum and maximum after stretcher removal and window, in HU.

    Args:
        voxels: (Z, Y, X) int16, HU.
        removed: (Z, Y, X); where set, the voxel counts as background, 0 HU.
        kept: Indices of the slices that count.
        window: Limits that minimum and maximum cannot leave.

    Returns:
        (minimum, maximum), HU; both inside the window, equal for a constant volume.
    """
    lowest, highest = INT16_MAX, INT16_MIN
    for k in kept:
        shown = np.where(removed[k], np.int16(0), voxels[k])
        lowest = min(lowest, int(shown.min()))
        highest = max(highest, int(shown.max()))
    return (
        min(max(lowest, window.lower), window.upper),
        min(max(highest, window.lower), window.upper),
    )


@dataclass(frozen=True, eq=False)
class GreyValues:
    """The grey values of a volume, made of its HU whenever some slices are asked for.

    Args:
        voxels: (Z, Y, X) int16, HU.
        removed: (Z, Y, X); where set, the grey value is 0.
        table: (65536,) uint8, the grey value of every HU; see `grey_table`.
        kept: Indices of the slices that were not clipped away; the others are 0.
    """

    voxels: npt.NDArray[np.int16]
    removed: VoxelMask
    table: npt.NDArray[np.uint8]
    kept: range

    def of(self, part: range) -> npt.NDArray[np.uint8]:
        """(n, Y, X) uint8, 0..255, C order: those slices."""
        grey = np.empty((len(part), *self.voxels.shape[1:]), dtype=np.uint8)
        for k, shown in zip(part, grey, strict=True):
            if k not in self.kept:
                shown.fill(0)
                continue
            bits = np.ascontiguousarray(self.voxels[k]).view(np.uint16)
            # No index can be out of range; any mode but "raise" saves NumPy a copy.
            np.take(self.table, bits, out=shown, mode="clip")
            np.copyto(shown, 0, where=self.removed[k])
        return grey


def normalise(
    voxels: npt.NDArray[np.int16],
    removed: VoxelMask,
    *,
    window: Window,
    normalisation: Normalisation,
    kept: range,
) -> GreyValues:
    """Apply window and normalisation.

    Args:
        voxels: (Z, Y, X) int16, HU.
        removed: (Z, Y, X); where set, the grey value is 0. That is 0 HU, as in Milara 2024,
            for the window 0..300 there and every other that does not begin below 0 HU; in one
            that does, 0 HU would look like water.
        window: Range of HU that the network sees.
        normalisation: Which HU become 0 and 255. ``INPATIENT`` looks at the kept slices only.
        kept: Indices of the slices that were not clipped away.

    Returns:
        The grey values; 0 in slices that were clipped away. They are made of ``voxels`` when they
        are asked for.
    """
    limits = (window.lower, window.upper)
    if normalisation is Normalisation.INPATIENT:
        limits = inpatient_limits(voxels, removed, kept, window)
    return GreyValues(voxels, removed, grey_table(*limits), kept)
