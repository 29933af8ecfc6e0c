from __future__ import annotations

import numpy as np
import pytest

from osteoserve_preprocessing.core import check_hounsfield
from osteoserve_preprocessing.errors import VoxelError


def scan(air: float = -1000.0, *, share_of_air: float = 0.5, noise: float = 15.0) -> np.ndarray:
    """Air, fat, muscle, bone: (20, 64, 64) int16."""
    rng = np.random.default_rng(1)
    tissue = rng.choice([-100.0, 50.0, 700.0], p=[0.3, 0.6, 0.1], size=(20, 64, 64))
    voxels = np.where(rng.random(tissue.shape) < share_of_air, air, tissue)
    return (voxels + rng.normal(0, noise, voxels.shape)).round().astype(np.int16)


def padded() -> np.ndarray:
    voxels = scan()
    voxels[:, :8] = -3024
    return voxels


def with_metal() -> np.ndarray:
    voxels = scan()
    voxels[5:9, 30:34, 30:34] = 30710
    return voxels


@pytest.mark.parametrize(
    "voxels",
    [
        scan(),
        scan(share_of_air=0.0),
        scan(share_of_air=0.99),
        scan(noise=150.0),
        scan().clip(-1024, 3071),
        padded(),
        with_metal(),
        np.full((3, 4, 4), -1000, dtype=np.int16),
        scan(share_of_air=1.0),
    ],
    ids=[
        "plain",
        "crop inside a limb",
        "mostly air",
        "low dose",
        "12 bits",
        "padding",
        "metal on the extended scale",
        "nothing but air",
        "nothing but noisy air",
    ],
)
def test_hounsfield_units_pass(voxels: np.ndarray) -> None:
    check_hounsfield(voxels)


def test_a_large_volume_is_sampled_all_over() -> None:
    voxels = np.tile(scan(), (5, 4, 4))
    check_hounsfield(voxels)
    with pytest.raises(VoxelError):
        check_hounsfield(voxels + np.int16(1024))


@pytest.mark.parametrize(
    ("voxels", "reason"),
    [
        (scan() + np.int16(1024), "rescale intercept"),
        ((scan() + np.int16(1024)).clip(0, 4095), "rescale intercept"),
        (np.where(padded() == -3024, np.int16(-2000), padded() + np.int16(1024)), "rescale"),
        ((scan().clip(-160, 240) + 160).astype(np.int16) // 2, "grey values"),
        ((scan() > 0).astype(np.int16), "grey values"),
        (np.sign(scan()).astype(np.int16), "grey values"),
        (scan() - np.int16(1024), "twice"),
        (np.full((2, 3, 3), -3024, dtype=np.int16), "all lie"),
        (np.zeros((2, 3, 3), dtype=np.int16), "grey values"),
    ],
    ids=[
        "intercept missing",
        "intercept missing, unsigned",
        "intercept missing, with padding",
        "8-bit picture",
        "normalised to 0..1",
        "normalised to -1..1",
        "intercept applied twice",
        "padding alone",
        "zeros",
    ],
)
def test_what_cannot_be_hounsfield_units_is_refused(voxels: np.ndarray, reason: str) -> None:
    with pytest.raises(VoxelError, match=reason):
        check_hounsfield(voxels)


@pytest.mark.parametrize("dtype", [np.float32, np.uint16, np.int32])
def test_only_int16_is_taken(dtype: type) -> None:
    with pytest.raises(VoxelError, match="int16"):
        check_hounsfield(scan().clip(0).astype(dtype))


@pytest.mark.parametrize("shape", [(0, 4, 4), (4, 4)])
def test_only_volumes_are_taken(shape: tuple[int, ...]) -> None:
    with pytest.raises(VoxelError, match="int16"):
        check_hounsfield(np.zeros(shape, dtype=np.int16))
