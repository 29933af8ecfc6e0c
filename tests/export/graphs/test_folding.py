from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from torch import nn  # noqa: E402 - only where torch is

from osteoserve_export.architectures.unet import UNet  # noqa: E402
from osteoserve_export.graphs.folding import TOLERANCE, fold_batch_norm  # noqa: E402
from tests.export.architectures.networks import seeded, stirred  # noqa: E402


def images(channels: int = 1, size: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    noise = torch.rand(1, channels, size, size, generator=generator)
    slope = torch.linspace(0, 1, size).expand(1, channels, size, size)
    return torch.cat([noise, slope])


def normalisations(network: nn.Module) -> int:
    return sum(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())


def close_to_the_original(folding, network, example) -> bool:
    with torch.no_grad():
        exact = copy.deepcopy(network).double()(example.double())
        found = folding.network(example).double()
    return bool((found - exact).abs().max() <= TOLERANCE * exact.abs().max())


class Connected(nn.Module):
    """Convolutions and normalisations as attributes, connected by a function of the test."""

    def __init__(self, connect, convolution=None):
        super().__init__()
        self.convolution = convolution or nn.Conv2d(1, 3, 3, padding=1)
        self.again = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.norm_again = nn.BatchNorm2d(3)
        self.connect = connect
        stirred(self)

    def forward(self, image):
        return self.connect(self, image)


@pytest.mark.parametrize("classes", [1, 3])
def test_every_normalisation_of_a_u_net_is_folded(classes):
    network = seeded(UNet, 4, 3, classes)
    folding = fold_batch_norm(network, images())
    assert len(folding.folded) == normalisations(network) == 14
    assert (folding.kept, folding.reason) == ((), "")
    assert normalisations(folding.network) == 0
    assert folding.error <= TOLERANCE
    assert close_to_the_original(folding, network, images(size=96))
    assert isinstance(folding.network, UNet)


@pytest.mark.parametrize("encoder", ["resnet18", "resnet50"])
def test_every_normalisation_of_smp_s_network_is_folded(encoder):
    smp = pytest.importorskip(
        "segmentation_models_pytorch", reason="the extra 'export' is not installed"
    )
    network = seeded(
        smp.Unet, encoder, encoder_weights=None, in_channels=3, decoder_channels=(32, 16, 8, 8, 4)
    )
    folding = fold_batch_norm(network, images(3))
    assert len(folding.folded) == normalisations(network)
    assert normalisations(folding.network) == 0
    assert close_to_the_original(folding, network, images(3, size=96))


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(1, 3, 3, padding=1, bias=False),
        nn.Conv2d(1, 3, 5, padding=2, padding_mode="reflect"),
        nn.ConvTranspose2d(1, 3, 2, stride=2),
    ],
)
def test_convolutions_of_every_kind(convolution):
    network = Connected(lambda net, x: net.norm(net.convolution(x)), convolution)
    folding = fold_batch_norm(network, images())
    assert (folding.folded, folding.kept) == (("norm",), ("norm_again",))
    assert close_to_the_original(folding, network, images())


@pytest.mark.parametrize(
    "connect",
    [
        # The convolution's own output goes on as well.
        lambda net, x: net.norm(y := net.convolution(x)) + y,
        # Something lies between.
        lambda net, x: net.norm(torch.relu(net.convolution(x))),
        # The convolution, or the normalisation, is used twice.
        lambda net, x: net.norm(net.again(net.again(net.convolution(x)))),
        lambda net, x: net.norm(net.again(net.norm(net.convolution(x).relu()).relu()).relu()),
        # Its weights are read by another way.
        lambda net, x: net.norm(net.convolution(x)) + net.convolution.weight.mean(),
    ],
)
def test_what_may_not_be_folded_is_kept(connect):
    network = Connected(connect)
    folding = fold_batch_norm(network, images())
    assert folding.folded == ()
    assert set(folding.kept) == {"norm", "norm_again"}
    assert close_to_the_original(folding, network, images())


def test_a_parametrised_convolution_is_kept():
    convolution = nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 3, 3, padding=1))
    network = Connected(lambda net, x: net.norm(net.convolution(x)), convolution)
    folding = fold_batch_norm(network, images())
    assert folding.folded == ()
    assert close_to_the_original(folding, network, images())


def test_a_network_that_cannot_be_traced_stays_as_it_is_and_says_why():
    def depending_on_the_image(net, x):
        return net.norm(net.convolution(x)) if x.mean() > 0.1 else net.again(net.convolution(x))

    network = Connected(depending_on_the_image)
    folding = fold_batch_norm(network, images())
    assert folding.network is network
    assert folding.folded == ()
    assert folding.reason.startswith("cannot be traced: TraceError")
    assert "\n" not in folding.reason


def test_a_fold_that_changes_the_answer_is_taken_back():
    # The same normalisation under two names: torch.fx knows it by the first, forward by the second.
    network = Connected(lambda net, x: net.other(net.convolution(x)))
    network.other = network.norm
    network.eval()
    folding = fold_batch_norm(network, images())
    assert folding.network is network
    assert folding.folded == ()
    assert "answers differ" in folding.reason


def test_a_network_without_normalisation_is_given_back():
    network = nn.Conv2d(1, 2, 3).eval()
    folding = fold_batch_norm(network, images())
    assert folding.network is network
    assert (folding.folded, folding.kept, folding.reason) == ((), (), "")
