"""Pixels and geometry as no scanner would make them: computed soundly, or refused."""

from __future__ import annotations

import struct
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from osteoserve_preprocessing.core import (
    Normalisation,
    PreprocessingOptions,
    StretcherMethod,
    Window,
    in_plane_sampling,
    measure_labels,
    preprocess,
)
from osteoserve_preprocessing.core.sampling import LARGEST
from osteoserve_preprocessing.core.scintigram import check_view_shape, compose_views
from osteoserve_preprocessing.core.view_plausibility import check_scan
from osteoserve_preprocessing.errors import PreprocessingError
from osteoserve_preprocessing.geometry import Geometry, Volume

#: Ten regions of a bone scan, as the shipped model names them.
REGIONS = MappingProxyType(
    {
        1: "skull",
        2: "spine",
        3: "chest",
        4: "anterior_right_humerus",
        5: "anterior_left_humerus",
        6: "posterior_right_humerus",
        7: "posterior_left_humerus",
        8: "pelvis",
        9: "femurs",
        10: "kidney",
    }
)
_CT, _SCAN = struct.Struct("<6B3f2h"), struct.Struct("<4Bd")
#: Larger ones are sound too, and slow.
_MOST_MATRIX = 1 << 18


def ct(data: bytes) -> None:
    """A volume: sizes, options, spacing and window, then voxels, repeated as needed."""
    if len(data) < _CT.size:
        return
    z, y, x, stretcher, normalisation, clip, *rest = _CT.unpack_from(data)
    spacing, window = rest[:3], rest[3:]
    shape = (1 + z % 6, 1 + y % 40, 1 + x % 40)
    voxels = np.resize(_numbers(data[_CT.size :], "<i2"), shape)
    try:
        volume = Volume(voxels.astype(np.int16), Geometry(shape, tuple(spacing)))
        options = PreprocessingOptions(
            stretcher=list(StretcherMethod)[stretcher % 3],
            window=Window(*window),
            normalisation=list(Normalisation)[normalisation % 2],
            clip_femur_to_head=bool(clip % 2),
        )
        ct_volume(volume, options)
    except PreprocessingError as refusal:
        check_refusal(refusal)


def ct_volume(volume: Volume, options: PreprocessingOptions) -> None:
    """What holds of every volume that is not refused.

    Raises:
        PreprocessingError: It is.
    """
    before = volume.voxels.copy()
    done = preprocess(volume, options)
    assert np.array_equal(volume.voxels, before), "the caller's voxels are his"
    assert done.slices.dtype == np.uint8
    assert done.slices.shape == done.stretcher_mask.shape == volume.geometry.shape
    removed = done.stretcher_mask.whole()
    assert options.stretcher is not StretcherMethod.NONE or not removed.any()
    kept = np.zeros(volume.geometry.shape[0], dtype=bool)
    kept[done.clip.start : done.clip.stop] = True
    assert not done.slices[~kept].any()
    _check_ascending(volume.voxels[kept], done.slices[kept], removed[kept])
    sampling = in_plane_sampling(
        done.geometry,
        nominal_mm=1.0,
        range_mm=(0.5, 1.5),
        size_multiple=16,
        cut_to_body=True,
    ).around(done.slices)
    assert max(sampling.matrix) <= LARGEST + 16
    if np.prod(sampling.matrix) <= _MOST_MATRIX:
        seen = sampling.forward(done.slices)
        assert seen.shape == (len(done.slices), *sampling.matrix)
        assert sampling.backward(seen, 256).shape == done.slices.shape
    for measure in measure_labels(done.slices, volume.voxels, volume.geometry, {255: "white"}):
        assert measure.voxels == np.count_nonzero(done.slices == 255)


def _check_ascending(
    voxels: npt.NDArray[np.int16], grey: npt.NDArray[np.uint8], removed: npt.NDArray[np.bool_]
) -> None:
    """Where nothing was removed, more HU are never darker."""
    order = np.argsort(voxels[~removed], kind="stable")
    assert (np.diff(grey[~removed][order].astype(np.int16)) >= 0).all()


def bone_scan(data: bytes) -> None:
    """Views: sizes and brightness, then counts, repeated, then their labels the other way."""
    if len(data) < _SCAN.size:
        return
    rows, columns, views, scale, brightness = _SCAN.unpack_from(data)
    shape = (1 + 8 * rows, 1 + 2 * columns)
    counts = np.resize(_numbers(data[_SCAN.size :], "<u2"), (2, *shape)).astype(np.uint16)
    counts >>= scale % 16
    labels = np.resize(_numbers(data[: _SCAN.size - 1 : -1], "u1") % 11, (2, *shape))
    names = ("anterior", "posterior")[: 1 + views % 2]
    try:
        scan(dict(zip(names, counts, strict=False)), labels.astype(np.uint8), brightness)
    except PreprocessingError as refusal:
        check_refusal(refusal)


def scan(counts: dict[str, npt.NDArray[np.uint16]], labels: Any, brightness: float) -> None:
    """What holds of every scan that is not refused.

    Raises:
        PreprocessingError: It is.
    """
    shape = next(iter(counts.values())).shape
    check_view_shape((shape[0], shape[1]))
    composed = compose_views(counts.get("anterior"), counts.get("posterior"), brightness=brightness)
    assert composed.image.dtype == np.uint8
    assert composed.white > 0
    for view in counts:
        back = composed.back(composed.cut(labels[0], view), view, (shape[0], shape[1]))
        rows, columns = composed.kept((shape[0], shape[1]))
        kept = slice(rows.start, rows.stop), slice(columns.start, columns.stop)
        assert np.array_equal(back[kept], labels[0][kept])
    for verdict in check_scan(counts, dict(zip(counts, labels, strict=False)), REGIONS):
        assert verdict.verdict in ("plausible", "implausible", "undetermined")
        assert np.isfinite(verdict.evidence)


def _numbers(data: bytes, dtype: str) -> npt.NDArray[Any]:
    size = np.dtype(dtype).itemsize
    return np.frombuffer(data[: len(data) // size * size] or bytes(size), dtype)


def check_refusal(refusal: Exception) -> None:
    assert str(refusal)
    assert "\n" not in str(refusal)
