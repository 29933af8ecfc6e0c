from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from torch import nn  # noqa: E402 - only where torch is

from osteoserve_export.errors import ArchitectureError  # noqa: E402
from osteoserve_export.graphs.channels import input_channels, output_classes  # noqa: E402


class Answering(nn.Module):
    """Gives what a function makes of an image."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, image):
        return self.function(image)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("classes", [1, 4])
def test_channels_are_found_by_asking(channels, classes):
    network = nn.Conv2d(channels, classes, 3, padding=1).eval()
    assert input_channels(network) == channels
    assert output_classes(network, channels) == classes


def test_a_network_that_takes_neither_grey_nor_colour_is_refused():
    with pytest.raises(
        ArchitectureError, match=r"no images of 1 or 3 channels; with 1: .*with 3: "
    ) as refused:
        input_channels(nn.Conv2d(2, 1, 1))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda image: {"out": image}, "gives a dict: wrap it"),
        (lambda image: image[:, :, ::2], r"gives \(2, 1, 32, 96\), not logits \(2, K, 64, 96\)"),
        (lambda image: image.transpose(2, 3), r"gives \(2, 1, 96, 64\)"),
        (lambda image: image[:1], r"gives \(1, 1, 64, 96\)"),
        (lambda image: image[:, 0], r"gives \(2, 64, 96\)"),
    ],
)
def test_what_is_no_map_of_logits_is_refused(function, message):
    with pytest.raises(ArchitectureError, match=message):
        output_classes(Answering(function), 1)


def test_a_stated_size_goes_before_the_network_s_own():
    def halved_often(image):
        if image.shape[2] % 64 or image.shape[3] % 64:
            raise ValueError("no multiple of 64")
        return image

    network = Answering(halved_often)
    with pytest.raises(ArchitectureError, match="no multiple of 64"):
        input_channels(network)
    assert input_channels(network, size_multiple=64) == 1
    assert output_classes(network, 1, size_multiple=64) == 1
