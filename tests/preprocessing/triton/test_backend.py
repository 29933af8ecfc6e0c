"""The Python-based onnxruntime backend, inside a real Triton."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

Slices = npt.NDArray[np.uint8]
Ask = Callable[[str, Slices], Slices]

sizes = st.integers(1, 4).map(lambda n: 16 * n)
slice_stacks = st.tuples(st.integers(1, 6), sizes, sizes).flatmap(
    lambda shape: arrays(np.uint8, shape)
)
with_server = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def ask(shared_triton: str) -> Iterator[Ask]:
    client = InferenceServerClient(shared_triton)

    def ask_model(model: str, slices: Slices) -> Slices:
        tensor = InferInput("slices", list(slices.shape), "UINT8")
        tensor.set_data_from_numpy(slices)
        labels = client.infer(model, [tensor]).as_numpy("labels")
        assert labels is not None
        return labels

    yield ask_model
    client.close()


@pytest.fixture(scope="module")
def many_slices() -> Slices:
    return np.random.default_rng(1).integers(0, 256, (16, 48, 64), dtype=np.uint8)


@with_server
@given(slices=slice_stacks)
@pytest.mark.parametrize("model", ["box", "box_plain"])
def test_both_engines_give_the_labels_of_the_definition(
    ask: Ask, box_labels: Callable[[Slices], Slices], model: str, slices: Slices
) -> None:
    np.testing.assert_array_equal(ask(model, slices), box_labels(slices))


@pytest.mark.parametrize("step", [1, 3, 8])
def test_a_slice_has_the_same_labels_in_every_batch(
    ask: Ask, many_slices: Slices, step: int
) -> None:
    together = ask("random", many_slices)
    assert 0.05 < together.mean() < 0.95
    apart = [ask("random", many_slices[i : i + step]) for i in range(0, len(many_slices), step)]
    np.testing.assert_array_equal(np.concatenate(apart), together)


def test_requests_that_arrive_together_are_not_mixed_up(ask: Ask, many_slices: Slices) -> None:
    together = ask("random", many_slices)
    with ThreadPoolExecutor(8) as callers:
        singly = list(callers.map(lambda one: ask("random", one[None]), many_slices))
    np.testing.assert_array_equal(np.concatenate(singly), together)


@pytest.mark.parametrize("model", ["box", "box_plain"])
@pytest.mark.parametrize("shape", [(1, 0, 16), (1, 16, 0)])
def test_an_empty_slice_is_an_error_and_the_next_request_is_answered(
    ask: Ask, model: str, shape: tuple[int, ...]
) -> None:
    with pytest.raises(InferenceServerException):
        ask(model, np.zeros(shape, np.uint8))
    assert not ask(model, np.zeros((1, 16, 16), np.uint8)).any()


def test_a_bad_request_spoils_no_other(ask: Ask, many_slices: Slices) -> None:
    """Even where Triton hands the backend both at once."""
    together = ask("random", many_slices)

    def attempt(index: int) -> Slices | None:
        try:
            return ask("random", many_slices[index : index + 1, : 0 if index % 4 == 3 else None])
        except InferenceServerException:
            return None

    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(attempt, range(len(many_slices))))
    for index, answer in enumerate(answers):
        if index % 4 == 3:
            assert answer is None
        else:
            assert answer is not None
            np.testing.assert_array_equal(answer[0], together[index])
