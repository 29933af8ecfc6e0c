"""The session against a real Triton."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from osteoserve_preprocessing.errors import (
    ContractError,
    InferenceError,
    InferenceTimeoutError,
    ModelNotFoundError,
    TritonUnavailableError,
    VoxelError,
)
from osteoserve_preprocessing.inference import TritonSession
from osteoserve_preprocessing.triton import EmbeddedTriton
from osteoserve_preprocessing.triton.ports import LOOPBACK, ReservedPort

Slices = npt.NDArray[np.uint8]


@pytest.fixture
async def session(shared_triton: str) -> AsyncIterator[TritonSession]:
    async with TritonSession(shared_triton) as opened:
        yield opened


@pytest.fixture(scope="module")
def slices() -> Slices:
    """(37, H, W): no whole number of batches."""
    return np.random.default_rng(3).integers(0, 256, (37, 32, 48), dtype=np.uint8)


async def test_models_and_their_contracts(
    session: TritonSession, shared_repository: Path, tmp_path: Path, write_model: Any
) -> None:
    names = await session.model_names()
    assert names == sorted(folder.name for folder in shared_repository.iterdir())
    assert await session.contract("box") == write_model(tmp_path / "box")


async def test_a_model_that_is_not_there(session: TritonSession) -> None:
    with pytest.raises(ModelNotFoundError, match="nothing"):
        await session.contract("nothing")
    contract = dataclasses.replace(await session.contract("box"), name="nothing")
    with pytest.raises((ModelNotFoundError, InferenceError, TritonUnavailableError)):
        await session.canary(contract)


@pytest.mark.parametrize("model", ["box", "box_plain"])
async def test_labels_come_in_the_order_of_the_slices(
    session: TritonSession, slices: Slices, box_labels: Callable[[Slices], Slices], model: str
) -> None:
    progress: list[int] = []
    labels = await session.segment(
        await session.contract(model), slices, on_progress=progress.append, timeout_s=60
    )
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, box_labels(slices))
    assert progress == sorted(set(progress))
    assert progress[-1] == len(slices)


@pytest.mark.parametrize(("batch", "in_flight"), [(1, 1), (5, 2), (100, 4)])
async def test_batches_change_nothing(
    session: TritonSession, shared_triton: str, slices: Slices, batch: int, in_flight: int
) -> None:
    contract = await session.contract("random")
    labels = await session.segment(contract, slices, timeout_s=60)
    async with TritonSession(shared_triton, batch=batch, in_flight=in_flight) as other:
        again = await other.segment(contract, slices, timeout_s=60)
    np.testing.assert_array_equal(again, labels)


async def test_callers_do_not_get_each_others_labels(
    session: TritonSession, slices: Slices, box_labels: Callable[[Slices], Slices]
) -> None:
    contract = await session.contract("box")
    volumes = [np.roll(slices, shift, axis=0) for shift in range(5)]
    answers = await asyncio.gather(
        *(session.segment(contract, volume, timeout_s=60) for volume in volumes)
    )
    for volume, labels in zip(volumes, answers, strict=True):
        np.testing.assert_array_equal(labels, box_labels(volume))


@pytest.mark.parametrize("order", ["C", "F"])
async def test_strides_change_nothing(
    session: TritonSession, slices: Slices, box_labels: Callable[[Slices], Slices], order: Any
) -> None:
    contract = await session.contract("box")
    turned = np.asarray(slices, order=order)[::-1]
    labels = await session.segment(contract, turned, timeout_s=60)
    np.testing.assert_array_equal(labels, box_labels(slices)[::-1])


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 16, 17), np.uint8),
        np.zeros((16, 16), np.uint8),
        np.zeros((1, 16, 16), np.float32),
        np.zeros((0, 16, 16), np.uint8),
    ],
)
async def test_slices_that_the_model_was_not_made_for(session: TritonSession, wrong: Any) -> None:
    with pytest.raises(VoxelError):
        await session.segment(await session.contract("box"), wrong, timeout_s=60)


@pytest.mark.parametrize(("model", "reason"), [("stranger", "7"), ("shrinking", "31, 48")])
async def test_an_answer_that_breaks_the_contract(
    session: TritonSession, slices: Slices, model: str, reason: str
) -> None:
    contract = await session.contract(model)
    with pytest.raises(InferenceError, match=f"model {model}: .*{reason}"):
        await session.segment(contract, slices, timeout_s=60)
    with pytest.raises(InferenceError, match=f"model {model}"):
        await session.canary(contract)


@pytest.mark.parametrize("model", ["box", "box_plain", "random"])
async def test_a_canary_of_a_model_that_works(session: TritonSession, model: str) -> None:
    await session.canary(await session.contract(model))


async def test_a_deadline_is_kept(session: TritonSession) -> None:
    contract = await session.contract("slow")
    many = np.zeros((64, 512, 512), np.uint8)
    start = time.monotonic()
    with pytest.raises(InferenceTimeoutError, match=r"slow: .*64 images.* 0\.3 s"):
        await session.segment(contract, many, timeout_s=0.3)
    assert time.monotonic() - start < 2


async def test_a_cancelled_call_leaves_room_for_the_next(session: TritonSession) -> None:
    contract = await session.contract("slow")
    call = asyncio.create_task(
        session.segment(contract, np.zeros((64, 512, 512), np.uint8), timeout_s=60)
    )
    await asyncio.sleep(0.2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    # At most what was being computed is still in front: two or three batches of 64 slices.
    small = np.zeros((1, 16, 16), np.uint8)
    labels = await session.segment(contract, small, timeout_s=20)
    assert not labels.any()


async def test_no_triton_is_unavailable_after_every_retry() -> None:
    with ReservedPort() as port:
        async with TritonSession(f"{LOOPBACK}:{port.number}", retry_delays_s=(0.1, 0.2)) as session:
            with pytest.raises(TritonUnavailableError):
                await session.model_names()


async def test_a_triton_that_is_killed_meanwhile_costs_nothing_but_time(
    tmp_path: Path,
    write_model: Any,
    slices: Slices,
    box_labels: Callable[[Slices], Slices],
    processes_below: Callable[[int], list[Any]],
) -> None:
    write_model(tmp_path / "killed" / "box")
    with EmbeddedTriton(tmp_path / "killed") as triton:
        async with TritonSession(triton.grpc_address, batch=1, in_flight=2) as session:
            contract = await session.contract("box")
            seen: list[int] = []

            def kill_at_ten(done: int) -> None:
                seen.append(done)
                if done == 10:
                    (server,) = (
                        process.pid
                        for process in processes_below(os.getpid())
                        if "bin/tritonserver " in process.command
                        and str(tmp_path) in process.command
                        and "guardian" not in process.command
                    )
                    os.kill(server, signal.SIGKILL)

            labels = await session.segment(contract, slices, on_progress=kill_at_ten, timeout_s=60)
    np.testing.assert_array_equal(labels, box_labels(slices))
    assert seen == list(range(1, len(slices) + 1))


async def test_a_model_without_a_contract_is_refused(
    session: TritonSession, shared_repository: Path
) -> None:
    with pytest.raises(ContractError, match=r"model bare: parameter osteoserve\.contract"):
        await session.contract("bare")
