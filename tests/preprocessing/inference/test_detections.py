"""Detections come out of a real Triton as the file gives them, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import numpy.typing as npt
import pytest

from osteoserve_preprocessing.errors import InferenceError, VoxelError
from osteoserve_preprocessing.inference import DetectionContract, TritonSession
from osteoserve_preprocessing.inference.canary import canary_views
from osteoserve_preprocessing.inference.detections import unpack_detections

Views = npt.NDArray[np.uint8]


@pytest.fixture
async def session(shared_triton: str) -> AsyncIterator[TritonSession]:
    async with TritonSession(shared_triton, batch=3) as opened:
        yield opened


async def detector(session: TritonSession, name: str) -> DetectionContract:
    contract = await session.contract(name)
    assert isinstance(contract, DetectionContract)
    return contract


def views_with(*counts: int, shape: tuple[int, int] = (24, 32)) -> Views:
    """Images in which `finding_network` finds so many objects."""
    views = np.zeros((len(counts), *shape), np.uint8)
    views[:, 0, 0] = counts
    return views


def test_filling_is_left_out() -> None:
    random = np.random.default_rng(0)
    outputs = {
        "boxes": random.uniform(size=(2, 8, 4)).astype(np.float32),
        "labels": random.integers(1, 9, (2, 8), dtype=np.uint8),
        "scores": random.uniform(size=(2, 8)).astype(np.float32),
        "masks": random.uniform(size=(2, 8, 5, 5)).astype(np.float32),
        "count": np.array([0, 5], np.int32),
    }
    none, five = unpack_detections(outputs)
    assert (len(none), len(five)) == (0, 5)
    for name in ("boxes", "labels", "scores", "masks"):
        np.testing.assert_array_equal(getattr(five, name), outputs[name][1, :5])


@pytest.mark.parametrize("model", ["finder", "finder_plain"])
async def test_each_image_gets_its_own_in_order(session: TritonSession, model: str) -> None:
    counts = (2, 0, 3, 1, 0, 3, 1)
    contract = await detector(session, model)
    found = await session.detect(contract, views_with(*counts), timeout_s=60)
    assert tuple(map(len, found)) == counts
    for each in found:
        assert each.boxes.tolist() == [[2, 3, 12, 13]] * len(each)
        assert each.labels.tolist() == [1] * len(each)
        assert each.scores.tolist() == [0.5] * len(each)
        assert each.masks.shape == (len(each), 2, 2)
        assert (each.masks == 0.75).all()


@pytest.mark.parametrize(
    ("model", "word"), [("finder_strange", "no labels"), ("finder_lost", "no detection")]
)
async def test_what_is_no_detection_is_refused(
    session: TritonSession, model: str, word: str
) -> None:
    contract = await detector(session, model)
    with pytest.raises(InferenceError, match=word):
        await session.detect(contract, views_with(1), timeout_s=60)


async def test_more_than_there_are_places_is_refused(session: TritonSession) -> None:
    with pytest.raises(InferenceError, match=r"counts of .*200"):
        await session.detect(await detector(session, "finder"), views_with(200), timeout_s=60)


@pytest.mark.parametrize(
    "views",
    [
        views_with(1, shape=(32, 24)),
        views_with(1).astype(np.int16),
        views_with(1)[0],
        views_with(),
    ],
)
async def test_images_of_another_kind_are_refused(session: TritonSession, views: Views) -> None:
    with pytest.raises(VoxelError, match="views"):
        await session.detect(await detector(session, "finder"), views, timeout_s=60)


async def test_the_canary_of_a_detector(session: TritonSession) -> None:
    await session.canary(await detector(session, "finder"))


def test_the_canary_shows_a_body_in_either_half() -> None:
    (view,) = canary_views((950, 512))
    assert view.dtype == np.uint8
    assert view.shape == (950, 512)
    np.testing.assert_array_equal(view[:, :256], view[:, 256:])
    assert set(np.unique(view).tolist()) == {0, 40, 200}
