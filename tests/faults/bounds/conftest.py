"""A service as an operator starts it, by flags, in a process whose memory is watched."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from osteoserve_client.local_service import LocalService
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.geometry import Volume
from tests.preprocessing.server.conftest import (  # noqa: F401 - fixtures
    MODEL,
    model_repository,
    triton,
    volume,
)

SERVE = (sys.executable, "-m", "osteoserve_client", "serve", "--announce", "--port", "0")


class Watched:
    """A running service."""

    def __init__(self, local: LocalService, log: Path) -> None:
        self.address = local.address
        self._process = Path(f"/proc/{local.process}")
        self._log = log

    def calls(self) -> list[str]:
        """The log's lines about calls with a volume."""
        return [line for line in self._log.read_text().splitlines() if "call=Segment" in line]

    def resident(self, field: str = "VmRSS") -> int:
        """Bytes in memory now, or at most ("VmHWM")."""
        for line in (self._process / "status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {field}")

    def segment(self, study: Volume) -> Any:
        """The labels of a good call."""
        with ServiceClient(self.address, timeout_s=60) as client:
            return client.segment(study, model=MODEL)[0]


StartWatched = Callable[..., Watched]


@pytest.fixture(scope="session")
def start_watched(
    triton: str,  # noqa: F811 - the fixture
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[StartWatched]:
    """Starts services on one Triton, with limits."""
    with ExitStack() as stack:

        def start(**limits: float) -> Watched:
            log = tmp_path_factory.mktemp("bounds") / "service.log"
            flags = [f"--{name.replace('_', '-')}={value}" for name, value in limits.items()]
            command = (*SERVE, "--triton", triton, *flags)
            return Watched(stack.enter_context(LocalService(log=log, command=command)), log)

        yield start


@pytest.fixture(scope="session")
def narrow(start_watched: StartWatched) -> Watched:
    """Room for one call, one in the queue, and little patience: a place that is lost is missed."""
    return start_watched(
        resident_volumes=1, concurrent_calls=1, queued_calls=1, idle_s=1, upload_s=3
    )
