from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")
ops = pytest.importorskip("torchvision.ops", reason="the extra 'export' is not installed")

from osteoserve_export.errors import ArchitectureError  # noqa: E402
from osteoserve_export.graphs.detection.pooling import CHUNK, PyramidRoIAlign  # noqa: E402
from osteoserve_export.graphs.detection.pyramid import Pyramid  # noqa: E402

LEVELS = {"0": (240, 128), "1": (120, 64), "2": (60, 32), "3": (30, 16), "pool": (15, 8)}
PYRAMID = Pyramid((950, 512), (960, 512), LEVELS)


def boxes_of_all_sizes(batch: int, count: int) -> torch.Tensor:
    """(N, K, 4) boxes inside the image, from less than a pixel to all of it."""
    generator = torch.Generator().manual_seed(1)
    extent = torch.tensor([512.0, 950.0])
    centre = torch.rand(batch, count, 2, generator=generator) * extent
    half = torch.exp(torch.rand(batch, count, 2, generator=generator) * 5.0 + 1.5)
    boxes = torch.cat([centre - half, centre + half], dim=-1)
    boxes[:, 0] = torch.tensor([0.0, 0.0, 512.0, 950.0])
    boxes[:, 1] = torch.tensor([511.5, 400.0, 512.0, 420.0])
    boxes[:, 2] = torch.tensor([100.0, 100.0, 212.0, 212.0])  # where one level ends
    return torch.minimum(boxes.clamp(min=0), extent.repeat(2))


@pytest.mark.parametrize(("bins", "samples"), [(7, 2), (14, 2), (3, 1), (2, 3)])
def test_it_pools_as_torchvision_does(bins, samples):
    generator = torch.Generator().manual_seed(0)
    features = {
        name: torch.randn(2, 5, *size, generator=generator) for name, size in LEVELS.items()
    }
    pool = ops.MultiScaleRoIAlign(["0", "1", "2", "3"], bins, samples)
    boxes = boxes_of_all_sizes(2, CHUNK + 20)
    expected = pool(features, list(boxes), [(950, 512)] * 2)
    found = PyramidRoIAlign(pool, PYRAMID)(features, boxes)
    levels = pool.map_levels(list(boxes))
    assert levels.bincount(minlength=4).min() > 10
    # The features are noise: a coordinate that is off by its last bit shows as 1e-5.
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


def test_filling_does_no_harm():
    features = {name: torch.ones(1, 3, *size) for name, size in LEVELS.items()}
    pool = PyramidRoIAlign(ops.MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2), PYRAMID)
    assert torch.isfinite(pool(features, torch.zeros(1, 10, 4))).all()


@pytest.mark.parametrize(("bins", "samples"), [(7, 0), (7, -1), ((7, 5), 2)])
def test_what_has_no_fixed_size_is_refused(bins, samples):
    with pytest.raises(ArchitectureError, match="sampling_ratio above 0 and square bins"):
        PyramidRoIAlign(ops.MultiScaleRoIAlign(["0"], bins, samples), PYRAMID)
