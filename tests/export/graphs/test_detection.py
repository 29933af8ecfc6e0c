from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")
pytest.importorskip("torchvision", reason="the extra 'export' is not installed")

from osteoserve_export.architectures.mask_rcnn import new_mask_rcnn  # noqa: E402
from osteoserve_export.errors import ArchitectureError, ParityError  # noqa: E402
from osteoserve_export.graphs.detection import DetectionGraph  # noqa: E402
from osteoserve_export.parity.detections import check_detections, match_detections  # noqa: E402
from osteoserve_preprocessing.inference.detections import (  # noqa: E402
    OUTPUTS,
    Detections,
    unpack_detections,
)
from tests.export.graphs.detector import (  # noqa: E402
    FEW,
    TINY,
    reference,
    varied_detector,
    views,
)

SIZE = (288, 224)


def detect(graph: DetectionGraph, grey: np.ndarray) -> tuple[Detections, ...]:
    with torch.no_grad():
        found = graph(torch.from_numpy(grey))
    return unpack_detections(dict(zip(OUTPUTS, (part.numpy() for part in found), strict=True)))


def assert_same(expected: list[Detections], found: tuple[Detections, ...]) -> None:
    agreement = match_detections(expected, found, iou=0.99)
    assert agreement.rate == 1.0, agreement.lone
    assert agreement.expected > 20
    # torchvision is asked one image after another: in a batch, convolutions round otherwise.
    assert agreement.score_error < 5e-5
    assert agreement.box_error < 1e-3
    assert agreement.mask_error < 1e-4
    for first, second in zip(expected, found, strict=True):
        np.testing.assert_allclose(second.scores, first.scores, rtol=0, atol=5e-5)


def views_and_black(count: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Views, of which the second is black where there is one."""
    grey = views(count, size, seed=5)
    grey[1:2] = 0
    return grey


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
def test_it_answers_as_torchvision_does(batch):
    network = varied_detector(size=SIZE)
    grey = views_and_black(batch)
    expected = reference(network, grey)
    found = detect(DetectionGraph(network, size=SIZE), grey)
    assert all(len(black) == 0 for black in expected[1:2])
    assert len(np.unique(expected[0].labels)) == TINY.classes - 1
    assert_same(expected, found)


@pytest.mark.parametrize(
    ("size", "form", "options"),
    [
        pytest.param((950, 512), TINY, FEW, id="whole body"),
        pytest.param((950, 512), TINY, (), id="a thousand proposals", marks=pytest.mark.slow),
        pytest.param((333, 210), dataclasses.replace(TINY, channels=1), FEW, id="odd size, grey"),
        pytest.param(
            (200, 150),
            TINY,
            (*FEW, ("fixed_size", ()), ("min_size", 211), ("max_size", 270)),
            id="resized",
        ),
        pytest.param(
            (320, 256),
            dataclasses.replace(
                TINY, normalised=True, proposal_depth=2, box_convolutions=(16, 16), bottleneck=True
            ),
            FEW,
            id="as in v2",
        ),
        pytest.param((320, 256), TINY, (*FEW, ("box_score_thresh", 0.0)), id="no threshold"),
        pytest.param((320, 256), TINY, (*FEW, ("rpn_score_thresh", 0.9)), id="few proposals"),
    ],
)
def test_so_it_does_for_other_networks_and_sizes(size, form, options):
    network = varied_detector(form, size, options)
    grey = views(1, size, seed=6)
    assert_same(reference(network, grey), detect(DetectionGraph(network, size=size), grey))


@pytest.mark.parametrize("detections", [1, 12])
def test_fewer_detections_are_the_best_ones(detections):
    network = varied_detector(size=SIZE)
    grey = views(1, SIZE, seed=7)
    (some,) = detect(DetectionGraph(network, size=SIZE, detections=detections), grey)
    (all_,) = detect(DetectionGraph(network, size=SIZE), grey)
    np.testing.assert_allclose(some.boxes, all_.boxes[:detections], atol=1e-3)


def test_shapes_and_types_are_fixed():
    graph = DetectionGraph(varied_detector(size=SIZE), size=SIZE, detections=30)
    with torch.no_grad():
        boxes, labels, scores, masks, count = graph(torch.from_numpy(views_and_black(2)))
    assert (boxes.shape, boxes.dtype) == ((2, 30, 4), torch.float32)
    assert (labels.shape, labels.dtype) == ((2, 30), torch.uint8)
    assert (scores.shape, scores.dtype) == ((2, 30), torch.float32)
    assert (masks.shape, masks.dtype) == ((2, 30, 28, 28), torch.float32)
    assert (count.tolist(), count.dtype) == ([30, 0], torch.int32)
    assert all(not output[1].any() for output in (boxes, labels, scores, masks))


def test_too_many_classes_are_refused():
    network = new_mask_rcnn(dataclasses.replace(TINY, classes=257), {"fixed_size": (64, 64)})
    with pytest.raises(ArchitectureError, match="257 classes"):
        DetectionGraph(network, size=(64, 64))


class WithoutScale(DetectionGraph):
    def _prepare(self, grey):
        return super()._prepare(grey) * 255.0


class WithSwappedAxes(DetectionGraph):
    def _in_view(self, boxes):
        return boxes[..., [1, 0, 3, 2]]


class WithoutNormalisation(DetectionGraph):
    def _prepare(self, grey):
        return super()._prepare(grey) * self.std + self.mean


class OnePixelNarrower(DetectionGraph):
    """The resize of torchvision's own export, which comes to 511 of 512 columns."""

    def _prepare(self, grey):
        height, width = self.size
        images = super()._prepare(grey)
        smaller = torch.nn.functional.interpolate(
            images[:, :, :height, :width], (height - 1, width - 1), mode="bilinear"
        )
        return torch.nn.functional.pad(
            smaller, (0, images.shape[3] - width + 1, 0, images.shape[2] - height + 1)
        )


class WithMasksUpsideDown(DetectionGraph):
    def _masks(self, *given):
        return super()._masks(*given).flip(2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (WithoutScale, "detections match"),
        (WithSwappedAxes, "detections match"),
        (WithoutNormalisation, "detections match"),
        (OnePixelNarrower, "detections match"),
        (WithMasksUpsideDown, "masks agree"),
    ],
)
def test_a_wrong_exporter_is_caught(wrong, message):
    network = varied_detector(size=SIZE)
    grey = views(2, SIZE, seed=8)
    agreement = match_detections(reference(network, grey), detect(wrong(network, size=SIZE), grey))
    with pytest.raises(ParityError, match=message):
        check_detections(agreement, "wrong")
