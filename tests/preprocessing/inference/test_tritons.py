"""A session with several Tritons: real ones, really killed, stopped and replaced."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tritonclient import grpc as triton
from tritonclient.utils import InferenceServerException

from osteoserve_preprocessing.errors import (
    InferenceError,
    ModelNotFoundError,
    TritonUnavailableError,
)
from osteoserve_preprocessing.inference import TritonSession
from osteoserve_preprocessing.inference.targets import Target
from osteoserve_preprocessing.triton import EmbeddedTriton
from osteoserve_preprocessing.triton.ports import LOOPBACK, ReservedPort

Slices = npt.NDArray[np.uint8]

#: A request is asked again elsewhere at once, or not at all.
AT_ONCE: tuple[float, ...] = ()


@pytest.fixture(scope="module")
def slices() -> Slices:
    """(120, H, W): enough that something can happen in the middle."""
    return np.random.default_rng(3).integers(0, 256, (120, 32, 48), dtype=np.uint8)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, write_model: Any) -> Path:
    folder = tmp_path_factory.mktemp("several") / "models"
    write_model(folder / "box")
    return folder


@pytest.fixture(scope="module")
def pair(repository: Path) -> Iterator[tuple[EmbeddedTriton, EmbeddedTriton]]:
    """Two that serve the same."""
    with EmbeddedTriton(repository) as one, EmbeddedTriton(repository) as other:
        yield one, other


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory, write_model: Any) -> Iterator[EmbeddedTriton]:
    """One that serves something else under the same name: what is dark is labelled."""
    from tests.preprocessing.conftest import threshold_network

    folder = tmp_path_factory.mktemp("odd") / "models"
    write_model(folder / "box", threshold_network([-np.ones((1, 1, 3, 3))], -1.0))
    write_model(folder / "box_of_its_own")
    with EmbeddedTriton(folder) as started:
        yield started


@pytest.fixture
async def ready(
    pair: tuple[EmbeddedTriton, EmbeddedTriton],
) -> tuple[EmbeddedTriton, EmbeddedTriton]:
    """The pair, both of which answer, whatever a test before has done to them."""
    await until(lambda: all(each.alive and answers(each) for each in pair))
    return pair


def named(*tritons: EmbeddedTriton) -> str:
    return ",".join(each.grpc_address for each in tritons)


def images_answered(one: EmbeddedTriton, model: str = "box") -> int:
    """By Triton's own count, those of its supervisor included."""
    with contextlib.closing(triton.InferenceServerClient(one.grpc_address)) as client:
        statistics = client.get_inference_statistics(model)
    return sum(int(each.inference_count) for each in statistics.model_stats)


def answers(one: EmbeddedTriton) -> bool:
    try:
        return images_answered(one) > 0
    except InferenceServerException:
        return False


def server_of(one: EmbeddedTriton, processes_below: Callable[[int], list[Any]]) -> int:
    port = one.grpc_address.rpartition(":")[2]
    (server,) = (
        process.pid
        for process in processes_below(os.getpid())
        if "bin/tritonserver " in process.command
        and f"--grpc-port={port} " in process.command
        and "guardian" not in process.command
    )
    return server


async def until(holds: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.1)


def at(count: int, do: Callable[[], object]) -> Callable[[int], None]:
    """Do something once so many slices are labelled."""

    def on_progress(done: int) -> None:
        if done == count:
            do()

    return on_progress


async def test_requests_reach_both(
    ready: Any, slices: Slices, box_labels: Callable[[Slices], Slices]
) -> None:
    before = [images_answered(each) for each in ready]
    async with TritonSession(named(*ready), batch=1) as session:
        assert await session.model_names() == ["box"]
        labels = await session.segment(await session.contract("box"), slices, timeout_s=60)
    np.testing.assert_array_equal(labels, box_labels(slices))
    shares = [images_answered(each) - earlier for each, earlier in zip(ready, before, strict=True)]
    # How many each gets depends on how fast it answers; the slower one gets fewer.
    assert all(shares)
    assert sum(shares) == len(slices)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
async def test_the_loss_of_one_costs_no_request(
    ready: Any,
    slices: Slices,
    box_labels: Callable[[Slices], Slices],
    processes_below: Callable[[int], list[Any]],
    sign: signal.Signals,
) -> None:
    server = server_of(ready[0], processes_below)
    async with TritonSession(named(*ready), batch=1, retry_delays_s=AT_ONCE) as session:
        contract = await session.contract("box")
        try:
            labels = await session.segment(
                contract,
                slices,
                on_progress=at(20, lambda: os.kill(server, sign)),
                timeout_s=60,
            )
            np.testing.assert_array_equal(labels, box_labels(slices))
            # While one is missing, everything is answered all the same, and soon.
            start = time.monotonic()
            assert await session.contract("box") == contract
            await session.canary(contract)
            assert time.monotonic() - start < 3
        finally:
            if sign == signal.SIGSTOP:
                os.kill(server, signal.SIGCONT)
        # Once it is back it is used again.
        await until(lambda: all(map(answers, ready)))
        before = images_answered(ready[0])
        async with asyncio.timeout(60):
            while images_answered(ready[0]) < before + len(slices) // 5:
                labels = await session.segment(contract, slices, timeout_s=60)
                np.testing.assert_array_equal(labels, box_labels(slices))


async def test_one_whose_model_has_died_is_asked_no_more(
    ready: Any,
    slices: Slices,
    box_labels: Callable[[Slices], Slices],
    processes_below: Callable[[int], list[Any]],
) -> None:
    # Readiness endpoints go on saying that all is well.
    server = server_of(ready[1], processes_below)
    (stub,) = (
        process.pid for process in processes_below(server) if "python_backend" in process.command
    )
    async with TritonSession(named(*ready), batch=1, retry_delays_s=AT_ONCE) as session:
        contract = await session.contract("box")
        labels = await session.segment(
            contract,
            slices,
            on_progress=at(20, lambda: os.kill(stub, signal.SIGKILL)),
            timeout_s=60,
        )
        await session.canary(contract)
    np.testing.assert_array_equal(labels, box_labels(slices))


async def test_two_models_under_one_name_never_mix(
    ready: Any,
    odd: EmbeddedTriton,
    slices: Slices,
    box_labels: Callable[[Slices], Slices],
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = images_answered(odd)
    async with TritonSession(named(odd, *ready), batch=1) as session:
        contract = await session.contract("box")
        for _ in range(3):
            labels = await session.segment(contract, slices, timeout_s=60)
            np.testing.assert_array_equal(labels, box_labels(slices))
        # What one of them alone serves is served.
        own = await session.contract("box_of_its_own")
        labels = await session.segment(own, slices[:8], timeout_s=60)
        np.testing.assert_array_equal(labels, box_labels(slices[:8]))
    assert images_answered(odd) - before < len(slices)  # its supervisor's
    (line,) = (r.getMessage() for r in caplog.records if "model box: left out" in r.getMessage())
    assert line.startswith(f"Triton {odd.grpc_address}: model box: left out, differs: digest (")


async def test_no_other_model_stands_in_for_one_that_is_gone(
    repository: Path, odd: EmbeddedTriton, slices: Slices
) -> None:
    with EmbeddedTriton(repository) as short_lived:
        async with TritonSession(
            named(short_lived, odd), batch=1, retry_delays_s=(0.1,)
        ) as session:
            contract = await session.contract("box")
            await session.segment(contract, slices[:8], timeout_s=60)
            await asyncio.to_thread(short_lived.stop)
            with pytest.raises(TritonUnavailableError, match="as it was when this began"):
                await session.segment(contract, slices, timeout_s=60)
            # A new request gets the other, by its own digest.
            other = await session.contract("box")
            assert other.digest != contract.digest
            await session.segment(other, slices[:8], timeout_s=60)


class Relay:
    """An address behind which one Triton can take another's place, unseen."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._connect, LOOPBACK, 0)
        self.own = f"{LOOPBACK}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        for writer in self._writers:
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.address.rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        self._writers |= {writer, back}
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while content := await source.read(1 << 16):
            sink.write(content)
            await sink.drain()
    sink.close()


async def test_one_that_was_replaced_unseen_is_found_out(
    ready: Any, odd: EmbeddedTriton, slices: Slices
) -> None:
    async with Relay(ready[0].grpc_address) as relay, TritonSession(relay.own) as session:
        contract = await session.contract("box")
        await session.segment(contract, slices[:8], timeout_s=60)
        relay.address = odd.grpc_address
        relay.cut()
        with pytest.raises(TritonUnavailableError, match=r"replaced|as it was when this began"):
            await session.segment(contract, slices[:8], timeout_s=60)


async def test_what_all_refuse_is_refused_soon(ready: Any, slices: Slices) -> None:
    import dataclasses

    async with TritonSession(named(*ready), batch=1) as session:
        contract = dataclasses.replace(await session.contract("box"), version="2")
        start = time.monotonic()
        with pytest.raises((TritonUnavailableError, InferenceError)):
            await session.canary(contract)
        assert time.monotonic() - start < 3
        with pytest.raises(ModelNotFoundError):
            await session.contract("nothing")


@pytest.mark.slow
async def test_a_name_is_looked_up_again_and_again(
    ready: Any, slices: Slices, box_labels: Callable[[Slices], Slices]
) -> None:
    behind: list[str] = []

    async def resolve(target: Target) -> tuple[str, ...]:
        if not behind:
            raise OSError("nobody knows it")
        return tuple(behind)

    def answered(one: EmbeddedTriton) -> Callable[[], Awaitable[bool]]:
        async def whether() -> bool:
            before = images_answered(one)
            labels = await session.segment(contract, slices, timeout_s=60)
            np.testing.assert_array_equal(labels, box_labels(slices))
            return images_answered(one) - before >= len(slices) // 5

        return whether

    async with TritonSession("dns:///triton:8001", batch=1, resolve=resolve) as session:
        with pytest.raises(TritonUnavailableError, match="dns:///triton:8001: no address is known"):
            await session.contract("box")
        first, second = ready
        behind[:] = [first.grpc_address]
        async with asyncio.timeout(60):
            while not await _known(session):
                await asyncio.sleep(0.1)
            contract = await session.contract("box")
            assert await answered(first)()
            behind[:] = [second.grpc_address]
            while not await answered(second)() or await answered(first)():
                await asyncio.sleep(0.1)
            behind.clear()  # whoever knows names is gone: what is known stays
            assert await answered(second)()


async def _known(session: TritonSession) -> bool:
    try:
        return bool(await session.model_names())
    except TritonUnavailableError:
        return False


async def test_a_dead_address_behind_a_name_does_no_harm(ready: Any, slices: Slices) -> None:
    # localhost is ::1 too on most machines, where no Triton listens.
    port = ready[0].grpc_address.rpartition(":")[2]
    async with TritonSession(f"dns:///localhost:{port}", retry_delays_s=AT_ONCE) as session:
        await session.segment(await session.contract("box"), slices, timeout_s=60)


async def test_none_of_several_answers() -> None:
    with ReservedPort() as one, ReservedPort() as other:
        url = f"{LOOPBACK}:{one.number},{LOOPBACK}:{other.number}"
        async with TritonSession(url, retry_delays_s=(0.1,)) as session:
            with pytest.raises(TritonUnavailableError):
                await session.contract("box")
            with pytest.raises(TritonUnavailableError):
                await session.model_names()
