from __future__ import annotations

import functools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from osteoserve_export.architectures import UNet  # noqa: E402 - only where torch is
from osteoserve_export.graphs.segmentation import ServingGraph, fold_batch_norm  # noqa: E402
from osteoserve_export.training.loop import train  # noqa: E402
from osteoserve_export.training.recipe import TrainingOptions  # noqa: E402
from osteoserve_export.training.sampling import CropSource  # noqa: E402
from tests.export.conftest import tube_pair  # noqa: E402


@functools.cache
def briefly_trained(seed: int = 0) -> UNet:
    """A small network that has learned for a moment that bone is bright."""
    options = TrainingOptions(
        seed=seed, first_channels=4, steps=30, batch=4, crop=32, learning_rate=1e-2, average=0.8
    )
    return train([CropSource(tube_pair(), 1.0)], options)


def bright_things(count: int, height: int, width: int) -> torch.Tensor:
    """(N, H, W) uint8: water and noise with white rectangles."""
    random = np.random.default_rng(3)
    slices = random.normal(40, 10, (count, height, width)).clip(0, 255)
    for slice_ in slices:
        top, left = int(random.integers(height // 2)), int(random.integers(width // 2))
        slice_[top : top + height // 3, left : left + width // 3] = 255
    return torch.from_numpy(slices.astype(np.uint8))


def test_the_published_size():
    # Milara 2024 with F = 8: counted by hand level by level it is 486,409.
    assert sum(parameter.numel() for parameter in UNet(8).parameters()) == 486_409


@pytest.mark.parametrize("size", [(16, 16), (32, 80), (112, 48)])
def test_the_output_has_the_input_s_size(size):
    network = briefly_trained()
    with torch.no_grad():
        assert network(torch.rand(2, 1, *size)).shape == (2, 1, *size)


def test_folding_batch_norm_changes_nothing_but_rounding():
    network = briefly_trained()
    folded = fold_batch_norm(network)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    grey = bright_things(2, 48, 64).unsqueeze(1).float() / 255.0
    with torch.no_grad():
        expected = network(grey)
        assert expected.max() > 0 > expected.min()
        torch.testing.assert_close(folded(grey), expected, rtol=1e-3, atol=1e-4)


def test_the_graph_is_scale_network_and_threshold():
    network = briefly_trained()
    slices = bright_things(3, 32, 48)
    with torch.no_grad():
        probability = torch.sigmoid(network(slices.unsqueeze(1).float() / 255.0)).squeeze(1)
        labels = ServingGraph(network)(slices)
    assert labels.dtype == torch.uint8
    clear = (probability - 0.5).abs() > 1e-3
    assert clear.float().mean() > 0.9
    assert torch.equal(labels[clear].bool(), (probability > 0.5)[clear])
    assert set(labels.unique().tolist()) == {0, 1}


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_slices_do_not_influence_each_other(batch):
    graph = ServingGraph(briefly_trained())
    slices = bright_things(6, 32, 32).numpy()
    parts = [graph.segment(slices[n : n + batch]) for n in range(0, 6, batch)]
    # Another batch may sum in another order: a pixel at the threshold can fall either way.
    assert (np.concatenate(parts) == graph.segment(slices)).mean() > 0.9999
