"""More clients than places: who is let in gets the right mask, who is not is told at once."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest

from osteoserve_preprocessing.geometry import Geometry, Volume
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import PreprocessingServiceStub
from tests.faults.bounds.conftest import StartWatched, Watched
from tests.preprocessing.server.test_overload import soon, whole

#: Clients of the flood, by itself and with --faults.
FEW, MANY = 24, 200
#: Calls that run or wait.
PLACES = 4
RETRY_S = 7


@pytest.fixture(scope="module")
def crowded(start_watched: StartWatched) -> Watched:
    return start_watched(
        resident_volumes=2, concurrent_calls=2, queued_calls=PLACES - 2, retry_after_s=RETRY_S
    )


@pytest.fixture(scope="module")
def different(volume: Volume) -> list[Volume]:
    """Studies of a megabyte whose masks differ, so that an answer to another call is noticed."""
    large = np.tile(volume.voxels, (1, 4, 4))
    shifted = [np.ascontiguousarray(np.roll(large, 11 * n, axis=2)) for n in range(4)]
    return [Volume(each, Geometry(each.shape, volume.geometry.spacing)) for each in shifted]


def ask(address: str, volume: Volume) -> tuple[str, Any]:
    """Status, and labels or the hint; each client has a connection of its own.

    Of gRPC's two clients the synchronous one: that of asyncio forgets the status when it is
    refused while it writes ("Internal error from Core").
    """
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options=options) as channel:
        call = PreprocessingServiceStub(channel).Segment(whole(volume), timeout=120)
        try:
            received = [response.chunk for response in call]
        except grpc.RpcError as error:
            return error.code().name, dict(error.trailing_metadata() or ()).get("retry-after-s")
    return "OK", np.frombuffer(b"".join(received), np.uint8).reshape(volume.geometry.shape)


def flood(address: str, volumes: list[Volume]) -> list[tuple[str, Any]]:
    """What each of as many clients gets, all at once."""
    with ThreadPoolExecutor(len(volumes)) as pool:
        return list(pool.map(lambda volume: ask(address, volume), volumes))


def test_the_accepted_are_right_and_the_others_are_told_at_once(
    crowded: Watched, different: list[Volume], request: pytest.FixtureRequest
) -> None:
    clients = MANY if request.config.getoption("--faults") else FEW
    expected = [crowded.segment(each) for each in different]
    assert all((expected[0] != other).any() for other in expected[1:])
    before = len(crowded.calls())

    which = [n % len(different) for n in range(clients)]
    answers = flood(crowded.address, [different[n] for n in which])

    accepted = [
        (n, labels) for n, (code, labels) in zip(which, answers, strict=True) if code == "OK"
    ]
    refused = [hint for code, hint in answers if code == "RESOURCE_EXHAUSTED"]
    assert len(accepted) + len(refused) == clients, {code for code, _ in answers}
    assert len(accepted) >= PLACES
    assert refused, "nobody was refused: no flood"
    assert all(np.array_equal(labels, expected[n]) for n, labels in accepted)
    assert set(refused) == {str(RETRY_S)}
    assert soon(lambda: len(crowded.calls()) == before + clients)
    seconds = [
        float(re.search(r"seconds=([\d.]+)", line).group(1))  # type: ignore[union-attr]
        for line in crowded.calls()[before:]
        if "outcome=RESOURCE_EXHAUSTED" in line
    ]
    assert len(seconds) == len(refused)
    assert max(seconds) < 0.1

    # No place was lost: as many as there are calls may come in at once, and all are answered.
    again = flood(crowded.address, different[:PLACES])
    assert [code for code, _ in again] == ["OK"] * PLACES
