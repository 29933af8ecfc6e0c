"""Clients are killed in the middle of their calls: their places are free for others."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

from osteoserve_client.errors import ServiceBusyError
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.geometry import Volume
from tests.faults.kills.conftest import MODEL, ONE_PLACE
from tests.faults.kills.service import Labels

CLIENT = """
import sys, numpy as np
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.geometry import Geometry, Volume
voxels = np.load(sys.argv[2])
volume = Volume(voxels, Geometry(voxels.shape, (2.0, 1.0, 1.0)))
with ServiceClient(sys.argv[1], retry_delays_s=()) as client:
    print("calling", flush=True)
    client.segment(volume, model=sys.argv[3])
"""


def first_answer(client: ServiceClient, study: Volume, *, within_s: float) -> Labels:
    deadline = time.monotonic() + within_s
    while True:
        try:
            return client.segment(study, model=MODEL)[0]
        except ServiceBusyError:
            assert time.monotonic() < deadline, "the place of a client that is gone is not free"
            time.sleep(0.02)


@pytest.mark.slow
def test_the_only_place_is_free_again(
    start: Any, study: Volume, rounds: int, tmp_path: Any
) -> None:
    np.save(tmp_path / "study.npy", study.voxels)
    with start(**ONE_PLACE) as service, service.client() as client:
        began = time.monotonic()
        expected, _ = client.segment(study, model=MODEL)
        duration = time.monotonic() - began
        moments = random.Random(2)  # noqa: S311
        for _ in range(rounds):
            arguments = [service.address, str(tmp_path / "study.npy"), MODEL]
            with subprocess.Popen(
                [sys.executable, "-c", CLIENT, *arguments], stdout=subprocess.PIPE
            ) as caller:
                assert caller.stdout is not None
                assert caller.stdout.readline() == b"calling\n"
                time.sleep(moments.random() * duration)
                caller.kill()
            np.testing.assert_array_equal(first_answer(client, study, within_s=5), expected)
        assert service.serving()
