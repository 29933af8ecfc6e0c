"""Bounds hold before memory is touched."""

from __future__ import annotations

import asyncio

import pytest

from osteoserve_preprocessing.errors import BusyError, OptionError, UploadError
from osteoserve_preprocessing.server.admission import Admission
from osteoserve_preprocessing.server.limits import Limits
from osteoserve_preprocessing.server.settings import Settings


@pytest.mark.parametrize("shape", [(2000, 512, 512), (1, 1, 1), (2048 // 4, 1024, 1024)])
def test_volumes_up_to_the_bounds_are_taken(shape: tuple[int, int, int]) -> None:
    Limits().check(shape)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((2001, 2, 2), "2000 slices"),
        ((513, 1024, 1024), "1073741824 bytes"),
        ((2000, 2**32 - 1, 2**32 - 1), "bytes"),
    ],
)
def test_larger_ones_are_refused(shape: tuple[int, int, int], reason: str) -> None:
    with pytest.raises(UploadError, match=reason):
        Limits().check(shape)


def test_a_bound_of_nothing_is_refused() -> None:
    with pytest.raises(OptionError, match="resident_volumes"):
        Limits(resident_volumes=0)


@pytest.mark.parametrize("host", ["::", "192.168.0.1", "10.0.0.1", "hospital.example"])
def test_only_loopback_is_listened_on(host: str) -> None:
    with pytest.raises(OptionError, match="loopback"):
        Settings(host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_may_be_listened_on(host: str) -> None:
    assert Settings(host=host).host == host


async def test_calls_beyond_the_queue_are_refused_and_those_in_it_wait() -> None:
    admission = Admission(Limits(concurrent_calls=1, queued_calls=1))
    running, leave = asyncio.Event(), asyncio.Event()

    async def call() -> None:
        async with admission.call():
            running.set()
            await leave.wait()

    first, second = asyncio.create_task(call()), asyncio.create_task(call())
    await running.wait()
    with pytest.raises(BusyError):
        async with admission.call():
            pytest.fail("a third call came in")
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert admission.open_calls == 1
    leave.set()
    await first
    async with admission.call():
        assert admission.open_calls == 1
    assert admission.open_calls == 0


async def test_volumes_take_turns() -> None:
    admission, order = Admission(Limits(resident_volumes=1)), []

    async def hold(name: str) -> None:
        async with admission.volume(1000):
            order.append(f"{name} in")
            await asyncio.sleep(0)
            order.append(f"{name} out")

    await asyncio.gather(hold("a"), hold("b"))
    assert order == ["a in", "a out", "b in", "b out"]
    assert not admission.volume_must_wait
