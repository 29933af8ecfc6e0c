"""From a canonical CT volume to the grey values that a network sees, in the paper's order.

Stretcher removal, threshold to the window, optional axial clipping, normalisation
(Milara 2024, "CT Preprocessing").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core.clipping import Clip, clip_femur_to_head
from osteoserve_preprocessing.core.hounsfield import check_hounsfield
from osteoserve_preprocessing.core.intensity import GreyValues, normalise
from osteoserve_preprocessing.core.options import (
    Normalisation,
    PreprocessingOptions,
    Window,
)
from osteoserve_preprocessing.core.orientation import canonical_orientation
from osteoserve_preprocessing.core.stretcher import StretcherReport, find_stretcher
from osteoserve_preprocessing.core.voxel_mask import VoxelMask
from osteoserve_preprocessing.errors import GeometryError
from osteoserve_preprocessing.geometry import Geometry, Volume

#: Least distance between voxels, mm; those of CTs of a finger measure ten times as much. What is
#: measured in millimetres would take memory without bound for voxels that are next to nothing.
LEAST_SPACING_MM = 0.01


@dataclass(frozen=True, eq=False)
class Preprocessed:
    """A volume as the network sees it, and what was done to it.

    Args:
        grey: Grey values, canonical; 0 in slices outside ``clip``.
        geometry: The canonical grid.
        stretcher: What was removed as stretcher.
        window: Range of HU that ``grey`` shows.
        normalisation: Which HU became 0 and 255.
        warnings: What a reader of the mask should know; each one line.
    """

    grey: GreyValues
    geometry: Geometry
    stretcher: StretcherReport
    window: Window
    normalisation: Normalisation
    warnings: tuple[str, ...]

    @property
    def stretcher_mask(self) -> VoxelMask:
        """(Z, Y, X), canonical; set where a voxel was set to 0 HU."""
        return self.grey.removed

    @property
    def clip(self) -> range:
        """Indices of the slices that were kept, counted from the feet."""
        return self.grey.kept

    @cached_property
    def slices(self) -> npt.NDArray[np.uint8]:
        """(Z, Y, X) uint8, all of its grey values, which it keeps from then on."""
        return self.grey.of(range(self.geometry.shape[0]))


def preprocess(volume: Volume, options: PreprocessingOptions) -> Preprocessed:
    """Prepare a volume for the network.

    Args:
        volume: Canonical (``canonical_orientation(...).volume(...)`` makes it so).
        options: What to do.

    Returns:
        Grey values, stretcher mask, and what was done.

    Raises:
        GeometryError: The volume is not canonical, or its voxels are smaller than any of a CT.
        VoxelError: Its values cannot be HU.
    """
    if not canonical_orientation(volume.geometry).is_identity:
        raise GeometryError("preprocessing needs a canonical volume: left, back, head")
    if min(volume.geometry.spacing) < LEAST_SPACING_MM:
        raise GeometryError(
            f"spacing must be at least {LEAST_SPACING_MM} mm, not {volume.geometry.spacing}"
        )
    check_hounsfield(volume.voxels)
    stretcher = find_stretcher(volume, options.stretcher)
    everything = Clip(range(volume.geometry.shape[0]), ())
    clip = clip_femur_to_head(volume) if options.clip_femur_to_head else everything
    grey = normalise(
        volume.voxels,
        stretcher.mask,
        window=options.window,
        normalisation=options.normalisation,
        kept=clip.kept,
    )
    return Preprocessed(
        grey=grey,
        geometry=volume.geometry,
        stretcher=stretcher.report,
        window=options.window,
        normalisation=options.normalisation,
        warnings=clip.warnings,
    )
