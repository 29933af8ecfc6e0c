from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from torch import nn  # noqa: E402 - only where torch is

from osteoserve_export.architectures.unet import UNet  # noqa: E402
from osteoserve_export.errors import ArchitectureError  # noqa: E402
from osteoserve_export.graphs.space_to_depth import space_to_depth  # noqa: E402
from tests.export.architectures.networks import seeded  # noqa: E402


@pytest.mark.parametrize("first_channels", [2, 3, 8])
@pytest.mark.parametrize(("downsamplings", "classes"), [(1, 1), (2, 3), (4, 1)])
@pytest.mark.parametrize("blocks", [(1, 1), (2, 3), (3, 1)])
def test_the_function_is_the_same(first_channels, downsamplings, classes, blocks):
    network = seeded(UNet, first_channels, downsamplings, classes).double()
    size = [network.size_multiple * block for block in blocks]
    grey = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        expected, found = network(grey), space_to_depth(network)(grey)
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_every_pixel_of_a_block_is_its_own():
    # A single bright pixel, in each place of a block and at the border: a block laid out in another
    # order would answer elsewhere.
    network = seeded(UNet, 2, 2, 2).double()
    rewritten = space_to_depth(network)
    for row, column in [(0, 0), (0, 1), (1, 0), (1, 1), (7, 15), (6, 15), (4, 9)]:
        grey = torch.zeros(1, 1, 8, 16).double()
        grey[0, 0, row, column] = 1.0
        with torch.no_grad():
            torch.testing.assert_close(rewritten(grey), network(grey), rtol=1e-10, atol=1e-10)


def test_in_single_precision_only_the_order_of_sums_differs():
    network = seeded(UNet, 8)
    grey = torch.rand(1, 1, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = network(grey)
        error = (space_to_depth(network)(grey) - expected).abs().max()
    assert error < 1e-5 * expected.abs().max()


def test_it_says_what_sizes_it_takes():
    assert space_to_depth(UNet(2, 3)).size_multiple == 8


@pytest.mark.parametrize("network", [nn.Conv2d(1, 1, 1), UNet(2, 0)])
def test_another_network_is_refused(network):
    with pytest.raises(ArchitectureError, match="needs the architecture unet"):
        space_to_depth(network)
