"""A wrong export of a detector is caught, whatever is wrong with it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'export' is not installed")
pytest.importorskip("torchvision", reason="the extra 'export' is not installed")

from osteoserve_export.errors import ParityError  # noqa: E402 - only where torch is
from osteoserve_export.label_codes import labels_of_names  # noqa: E402
from osteoserve_export.parity.detection_comparison import (  # noqa: E402
    BATCHES,
    compare_detections,
    expected_detections,
)
from osteoserve_export.parity.detection_proof import DetectionProof  # noqa: E402
from osteoserve_export.parity.detection_reference import DetectionReference  # noqa: E402
from osteoserve_export.parity.trials import Trial  # noqa: E402
from osteoserve_export.specification import DetectionSpecification  # noqa: E402
from osteoserve_preprocessing.inference import Detections  # noqa: E402
from tests.export.graphs.detector import varied_detector, views  # noqa: E402

SIZE = (288, 224)
ASKED = DetectionSpecification(
    architecture="mask_rcnn",
    name="found",
    labels=labels_of_names(["skull", "spine", "chest", "pelvis", "femurs"]),
    image_size=SIZE,
)

Answer = Callable[[np.ndarray], Detections]


@functools.cache
def trials() -> tuple[Trial, ...]:
    grey = views(3, SIZE, seed=11)
    return Trial("first", grey[:1]), Trial("others", grey[1:])


@functools.cache
def expected():
    return expected_detections(DetectionReference(varied_detector(size=SIZE)), trials(), ASKED)


@functools.cache
def _found(content: bytes) -> Detections:
    image = np.frombuffer(content, np.uint8).reshape(SIZE)
    return DetectionReference(varied_detector(size=SIZE)).find(image).detections


def right(image: np.ndarray) -> Detections:
    """What a correct export answers: torchvision's own detections."""
    return _found(image.tobytes())


def proven(answer: Answer, asked: DetectionSpecification = ASKED) -> DetectionProof:
    def find(images, batch):
        return tuple(map(answer, images))

    return checked(find, asked)


def checked(find, asked: DetectionSpecification = ASKED) -> DetectionProof:
    proof = DetectionProof(asked, compare_detections("a runtime", find, expected(), asked))
    proof.check()
    return proof


def swapped_axes(image):
    found = right(image)
    return dataclasses.replace(found, boxes=found.boxes[:, [1, 0, 3, 2]])


def unscaled(image):
    """The network on 0..255, as where a graph forgot to divide."""
    network = varied_detector(size=SIZE)
    small = []
    hook = network.roi_heads.register_forward_hook(
        lambda _, __, output: small.append(output[0][0]["masks"][:, 0])
    )
    with torch.no_grad():
        (answer,) = network([torch.from_numpy(image).float().expand(3, -1, -1)])
    hook.remove()
    parts = (answer[name].numpy() for name in ("boxes", "labels", "scores"))
    return Detections(*parts, small[0].numpy())


def resized_to_a_column_less(image):
    """What stock torchvision's export does: floor(512 x reciprocal(512)) = 511."""
    narrow = torch.nn.functional.interpolate(
        torch.from_numpy(image)[None, None].float(), (SIZE[0], SIZE[1] - 1), mode="bilinear"
    )
    padded = torch.nn.functional.pad(narrow, (0, 1))[0, 0].round().to(torch.uint8).numpy()
    found = right(padded)
    wider = np.array([SIZE[1] / (SIZE[1] - 1), 1.0] * 2, np.float32)
    return dataclasses.replace(found, boxes=found.boxes * wider)


def other_labels(image):
    found = right(image)
    return dataclasses.replace(found, labels=found.labels % 5 + 1)


def lower_scores(image):
    found = right(image)
    return dataclasses.replace(found, scores=found.scores * np.float32(0.9))


def turned_masks(image):
    found = right(image)
    return dataclasses.replace(found, masks=found.masks.transpose(0, 2, 1))


def masks_on_the_wrong_side_of_one_half(image):
    found = right(image)
    return dataclasses.replace(found, masks=1 - found.masks)


def one_in_fifty_lost(image):
    found = right(image)
    kept = np.arange(len(found)) % 50 != 7
    parts = (found.boxes, found.labels, found.scores, found.masks)
    return Detections(*(part[kept] for part in parts))


def boxes_without_a_number(image):
    found = right(image)
    return dataclasses.replace(found, boxes=np.full_like(found.boxes, np.nan))


def labels_that_are_none(image):
    found = right(image)
    return dataclasses.replace(found, labels=found.labels + 9)


def test_a_correct_export_passes_at_every_batch_size():
    proof = proven(right)
    assert {row.batch for row in proof.rows} == set(BATCHES)
    assert {row.study for row in proof.rows} == {"first", "others"}
    assert proof.least_rate.agreement.rate == 1.0
    assert min(row.agreement.expected for row in proof.rows) >= 60
    assert proof.score_error == 0.0
    # Of torchvision's pasting and of the service's own, for more than half the labels.
    assert proof.least.dice > 0.9999
    assert sum(row.pixels > 1000 for row in proof.label_rows) > len(proof.label_rows) / 2


@pytest.mark.parametrize(
    "wrong",
    [
        swapped_axes,
        unscaled,
        resized_to_a_column_less,
        other_labels,
        lower_scores,
        turned_masks,
        masks_on_the_wrong_side_of_one_half,
        one_in_fifty_lost,
        boxes_without_a_number,
        labels_that_are_none,
    ],
)
def test_a_broken_export_is_caught(wrong):
    with pytest.raises(ParityError) as caught:
        proven(wrong)
    assert "a runtime" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_an_image_that_leaks_into_the_next_is_caught():
    def leaking(images, batch):
        requests = [images[n : n + batch] for n in range(0, len(images), batch)]
        return tuple(right(request[0]) for request in requests for _ in request)

    with pytest.raises(ParityError, match="others in batches of 3"):
        checked(leaking)


def test_an_answer_too_few_is_caught():
    with pytest.raises(ParityError, match="2 images were answered, not 3"):
        checked(lambda images, _: tuple(map(right, images[1:])))


def test_the_message_says_by_how_much_and_where():
    with pytest.raises(
        ParityError, match=r"first in batches of 1: 98 of 100 detections match .*label \d at \d+"
    ):
        proven(one_in_fifty_lost)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"match_rate": 0.97, "least_dice": 0.5}, one_in_fifty_lost),
        ({"score_tolerance": 0.11}, lower_scores),
    ],
)
def test_a_tolerance_decides_what_passes(changes, wrong):
    proven(wrong, dataclasses.replace(ASKED, **changes))


def test_no_more_images_are_asked_at_once_than_the_model_takes():
    proof = proven(right, dataclasses.replace(ASKED, max_batch=4))
    assert {row.batch for row in proof.rows} == {1, 3}


def test_a_network_that_finds_nothing_proves_nothing():
    black = Trial("black", np.zeros((1, *SIZE), np.uint8))
    with pytest.raises(ParityError, match=r"no proof.*no skull, no spine.*--study"):
        expected_detections(DetectionReference(varied_detector(size=SIZE)), [black], ASKED)
