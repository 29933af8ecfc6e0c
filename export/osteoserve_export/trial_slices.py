"""Where the slices come from that an export is tried on: studies, or else phantoms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from osteoserve_export.errors import PairError
from osteoserve_export.parity.trials import Trial, ellipses
from osteoserve_export.phantoms import phantom_studies
from osteoserve_export.specification import SegmentationSpecification
from osteoserve_export.training.pairs import canonical_volume, read_image
from osteoserve_preprocessing.core import PreprocessingOptions, in_plane_sampling, preprocess

#: Slices of each study, evenly spread over it.
SLICES: Final = 12

#: Two bodies: one supine with contrast medium, one with its arms up.
PHANTOM_SEEDS: Final = (11, 18)


def slice_trials(
    studies: Sequence[Path], asked: SegmentationSpecification, *, size_multiple: int
) -> tuple[Trial, ...]:
    """Slices to try, as the service would send them to the model.

    Args:
        studies: CT studies; phantoms take their place where there are none.
        asked: Window, normalisation and pixel spacing.
        size_multiple: H and W are multiples of it.

    Returns:
        One trial a study, and one of a small odd size that no study has.

    Raises:
        PairError: A study cannot be read.
        PublishError: The phantoms could not be made.
    """
    odd = ellipses(5, 5 * size_multiple, 7 * size_multiple)
    if studies:
        return (*(_trial(path, path.name, asked, size_multiple) for path in studies), odd)
    return (*phantom_trials(asked, size_multiple=size_multiple), odd)


def phantom_trials(asked: SegmentationSpecification, *, size_multiple: int) -> tuple[Trial, ...]:
    """Slices of phantoms alone, from thigh to vertex: bodies small and large, with air around them.

    Args:
        asked: Window, normalisation and pixel spacing.
        size_multiple: H and W are multiples of it.

    Raises:
        PublishError: The phantoms could not be made.
    """
    with phantom_studies("ct", PHANTOM_SEEDS, "--slices", str(SLICES)) as folders:
        return tuple(
            _trial(path, f"phantom {seed}", asked, size_multiple)
            for path, seed in zip(folders, PHANTOM_SEEDS, strict=True)
        )


def _trial(path: Path, name: str, asked: SegmentationSpecification, size_multiple: int) -> Trial:
    volume = canonical_volume(read_image(path))
    prepared = preprocess(
        volume, PreprocessingOptions(window=asked.window, normalisation=asked.normalisation)
    )
    sampling = in_plane_sampling(
        prepared.geometry,
        nominal_mm=asked.pixel_spacing_mm,
        range_mm=asked.pixel_spacing_range_mm,
        size_multiple=size_multiple,
    )
    count = len(prepared.slices)
    if not count:
        raise PairError(f"{path} has no slices")
    chosen = np.unique(np.linspace(0, count - 1, min(count, SLICES)).round().astype(int))
    return Trial(name, np.ascontiguousarray(sampling.forward(prepared.slices[chosen])))
