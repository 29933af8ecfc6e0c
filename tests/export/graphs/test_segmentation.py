from __future__ import annotations

import functools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")

from osteoserve_export.architectures.unet import UNet  # noqa: E402 - only where torch is
from osteoserve_export.conversion.onnx_file import export_onnx  # noqa: E402
from osteoserve_export.errors import ArchitectureError, ParityError  # noqa: E402
from osteoserve_export.graphs.segmentation import (  # noqa: E402
    SegmentationGraph,
    first_greatest,
)
from osteoserve_export.parity.runtimes import OnnxRuntime, OpenVino  # noqa: E402
from osteoserve_export.training.loop import train  # noqa: E402
from osteoserve_export.training.recipe import TrainingOptions  # noqa: E402
from osteoserve_export.training.sampling import CropSource  # noqa: E402
from tests.export.architectures.networks import seeded  # noqa: E402
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


class Bright(torch.nn.Module):
    """Logits that can be worked out by hand: K multiples of the first channel, and the others."""

    def __init__(self, classes=1, channels=1):
        super().__init__()
        self.convolution = torch.nn.Conv2d(channels, classes, 1)
        weights = torch.arange(1, classes * channels + 1.0).reshape(classes, channels, 1, 1)
        self.convolution.weight.data = weights
        self.convolution.bias.data = -0.6 * torch.arange(classes).float() ** 2 - 0.25
        self.eval()

    def forward(self, image):
        return self.convolution(image)


def test_the_graph_is_scale_network_and_threshold():
    network = briefly_trained()
    slices = bright_things(3, 32, 48)
    with torch.no_grad():
        probability = torch.sigmoid(network(slices.unsqueeze(1).float() / 255.0)).squeeze(1)
        labels = SegmentationGraph(network)(slices)
    assert labels.dtype == torch.uint8
    clear = (probability - 0.5).abs() > 1e-3
    assert clear.float().mean() > 0.9
    assert torch.equal(labels[clear].bool(), (probability > 0.5)[clear])
    assert set(labels.unique().tolist()) == {0, 1}


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_slices_do_not_influence_each_other(batch):
    graph = SegmentationGraph(briefly_trained())
    slices = bright_things(6, 32, 32).numpy()
    parts = [graph.segment(slices[n : n + batch]) for n in range(0, 6, batch)]
    # Another batch may sum in another order: a pixel at the threshold can fall either way.
    assert (np.concatenate(parts) == graph.segment(slices)).mean() > 0.9999


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.53, 0.6])
def test_the_threshold_is_a_probability(threshold):
    slices = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).repeat(1, 2, 2)
    labels = SegmentationGraph(Bright(), threshold=threshold)(slices)
    probability = 1.0 / (1.0 + np.exp(0.25 - slices.numpy() / 255.0))
    assert (labels.numpy() == (probability > threshold)).all()
    assert labels.any()


def test_argmax_gives_the_greatest_channel_and_the_lowest_of_equals():
    random = np.random.default_rng(0)
    for classes in (2, 3, 7, 11, 200):
        logits = random.integers(-2, 3, (2, classes, 16, 24)).astype(np.float32)
        found = first_greatest(torch.from_numpy(logits))
        assert found.dtype == torch.uint8
        # NumPy states that its argmax gives the first.
        assert (found.numpy() == logits.argmax(axis=1)).all()


class FirstGreatest(torch.nn.Module):
    def forward(self, logits):
        return first_greatest(logits)


# torch's exporter warns about its own and its dependencies' deprecations.
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("classes", [2, 5])
def test_runtimes_decide_between_equals_alike(tmp_path, classes):
    onnxruntime, openvino = (pytest.importorskip(name) for name in ("onnxruntime", "openvino"))
    logits = np.random.default_rng(0).integers(-2, 3, (2, classes, 16, 24)).astype(np.float32)
    path = tmp_path / "decision.onnx"
    torch.onnx.export(
        FirstGreatest().eval(), (torch.from_numpy(logits),), path, dynamo=True, verbose=False
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (by_onnxruntime,) = session.run(None, {session.get_inputs()[0].name: logits})
    by_openvino = openvino.Core().compile_model(path, "CPU")([logits])[0]
    for found in (by_onnxruntime, by_openvino):
        assert found.dtype == np.uint8
        assert (found == logits.argmax(axis=1)).all()


def test_three_classes_by_hand():
    # Logits g - 0.25, 2 g - 0.85, 3 g - 2.65 of grey g: classes change at 0.6 and 1.8.
    slices = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).repeat(1, 4, 4)
    labels = SegmentationGraph(Bright(3), activation="argmax", std=0.5)(slices)
    grey = slices.numpy() / 127.5
    assert (labels.numpy() == np.where(grey > 1.8, 2, grey > 0.6)).all()
    assert set(np.unique(labels)) == {0, 1, 2}


@pytest.mark.parametrize(("classes", "activation"), [(1, "threshold"), (3, "argmax")])
def test_probabilities_are_the_second_output(classes, activation):
    network = seeded(UNet, 2, 2, classes)
    slices = bright_things(2, 16, 32)
    with torch.no_grad():
        graph = SegmentationGraph(network, activation=activation, probabilities=True)
        labels, probabilities = graph(slices)
        logits = network(slices.unsqueeze(1).float() / 255.0)
    expected = logits.sigmoid() if classes == 1 else logits.softmax(dim=1)
    assert probabilities.shape == (2, classes, 16, 32)
    torch.testing.assert_close(probabilities, expected, rtol=1e-4, atol=1e-5)
    plain = SegmentationGraph(network, activation=activation).segment(slices.numpy())
    assert (labels.numpy() == plain).all()
    assert (graph.segment(slices.numpy()) == plain).all()


def test_grey_is_repeated_and_normalised_for_three_channels():
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    network, slices = Bright(2, channels=3), bright_things(2, 32, 32)
    graph = SegmentationGraph(network, activation="argmax", mean=mean, std=std)
    image = np.repeat(slices.numpy()[:, None] / 255.0, 3, axis=1)
    image = (image - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    with torch.no_grad():
        expected = network(torch.from_numpy(image.astype(np.float32)))
        torch.testing.assert_close(graph.logits(slices), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mean", [0.0, 0.4])
def test_every_runtime_repeats_grey_before_a_convolution(tmp_path, mean):
    torch.manual_seed(4)
    network = torch.nn.Conv2d(3, 1, 3, padding=1).eval()
    graph, slices = (
        SegmentationGraph(network, mean=mean, size_multiple=16),
        bright_things(2, 32, 48),
    )
    served, proof = tmp_path / "model.onnx", tmp_path / "proof.onnx"
    export_onnx(graph, served, proof, size_multiple=16, max_batch=4)
    for runtime in (OnnxRuntime(proof), OpenVino(proof)):
        logits = runtime.run(slices.numpy())["logits"]
        with torch.no_grad():
            np.testing.assert_allclose(logits, graph.logits(slices), rtol=1e-4, atol=1e-5)


def test_a_file_that_a_runtime_cannot_load_is_a_failed_proof(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    for runtime in (OnnxRuntime, OpenVino):
        with pytest.raises(ParityError, match="does not load the file"):
            runtime(tmp_path / "model.onnx")


def test_the_graph_leaves_the_network_as_it_was():
    network = seeded(UNet, 2, 2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    SegmentationGraph(network, space_to_depth=True)
    assert before.keys() == network.state_dict().keys()
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("space_to_depth", [False, True])
def test_batch_normalisation_is_folded_in_both_forms(space_to_depth):
    network, slices = seeded(UNet, 2, 3, 2), bright_things(2, 32, 48)
    graph = SegmentationGraph(network, activation="argmax", space_to_depth=space_to_depth)
    assert graph.folded == 2 * (4 + 3)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in graph.modules())
    with torch.no_grad():
        expected = network(slices.unsqueeze(1).float() / 255.0)
        torch.testing.assert_close(graph.logits(slices), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (Bright(3), {"activation": "threshold"}, "has 3: use argmax"),
        (Bright(1), {"activation": "argmax"}, "2 to 256 output channels; the network has 1"),
        (Bright(257), {"activation": "argmax"}, "2 to 256 output channels; the network has 257"),
        (Bright(1), {"mean": (0.1, 0.2, 0.3)}, "3 values of mean or std for a network with 1"),
        (Bright(1), {"space_to_depth": True}, "space-to-depth needs the architecture unet"),
    ],
)
def test_what_does_not_fit_together_is_refused(network, options, message):
    with pytest.raises(ArchitectureError, match=message):
        SegmentationGraph(network, **options)
