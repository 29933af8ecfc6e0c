from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from osteoserve_export.architectures.unet import UNet  # noqa: E402 - only where torch is
from tests.export.architectures.networks import seeded  # noqa: E402


def test_the_published_size():
    # Milara 2024 with F = 8: counted by hand level by level it is 486,409.
    assert sum(parameter.numel() for parameter in UNet(8).parameters()) == 486_409


@pytest.mark.parametrize("downsamplings", [0, 1, 2, 4])
@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("blocks", [(1, 1), (2, 5), (3, 1)])
def test_the_output_has_the_input_s_size(downsamplings, classes, blocks):
    network = seeded(UNet, 2, downsamplings, classes)
    height, width = (network.size_multiple * block for block in blocks)
    with torch.no_grad():
        assert network(torch.rand(2, 1, height, width)).shape == (2, classes, height, width)
