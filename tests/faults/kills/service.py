"""A running service as its operator and its clients see it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
from grpc_health.v1 import health_pb2, health_pb2_grpc

from osteoserve_client.errors import OsteoserveError
from osteoserve_client.local_service import LocalService
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from tests.preprocessing.conftest import tree_below

Labels = npt.NDArray[np.uint8]
SERVING = health_pb2.HealthCheckResponse.SERVING

#: What marks each process of a service in its command line, and what must not be there.
PROGRAMS = {
    "tritonserver": ("bin/tritonserver ", "guardian.py"),
    "stub": ("triton_python_backend_stub ", "guardian.py"),
    "guardian": ("guardian.py ", "no such word"),
}


class RunningService(LocalService):
    """A service in a process of its own, with whatever it has started.

    Args:
        command: How it is started.
        log: Where its standard error goes.
    """

    def __init__(self, command: tuple[str, ...], log: Path) -> None:
        super().__init__(log=log, command=command)
        self._log_file = log

    def log(self, word: str = "") -> list[str]:
        """Lines of its log that hold a word."""
        return [line for line in self._log_file.read_text().splitlines() if word in line]

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process, number)

    def pid_of(self, program: str) -> int:
        """Id of its tritonserver, of the stub, or of the guardian."""
        (found,) = self.pids_of(program)
        return found

    def pids_of(self, program: str) -> set[int]:
        """The same, where it may be away, or just be replaced."""
        word, other = PROGRAMS[program]
        return {
            process.pid
            for process in tree_below(self.process)
            if word in process.command and other not in process.command
        }

    def tells(self, program: str, killed: int) -> bool:
        """Whether health says that something is wrong, or what was killed is replaced already.

        A Triton of one small model is back after a second, and health asks it once a second.
        """
        return not self.serving() or bool(self.pids_of(program) - {killed})

    def serving(self) -> bool:
        """Whether its health says so."""
        with grpc.insecure_channel(self.address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            status = health.Check(health_pb2.HealthCheckRequest(), timeout=5).status
        return bool(status == SERVING)

    @contextmanager
    def client(self) -> Iterator[ServiceClient]:
        """A client that does not try again."""
        with ServiceClient(self.address, retry_delays_s=(), timeout_s=60) as client:
            yield client


class Call(threading.Thread):
    """A segmentation in a thread of its own.

    Args:
        service: Who is asked.
        study: What about.
        model: Of which model.
    """

    def __init__(self, service: RunningService, study: Volume, model: str) -> None:
        super().__init__(daemon=True)
        self._service, self._study, self._model = service, study, model
        self._stages: dict[int, threading.Event] = {
            stage: threading.Event() for stage in pb.Progress.Stage.values()
        }
        self.labels: Labels | None = None
        self.report: Any = None
        self.error: OsteoserveError | None = None
        self.ended = 0.0
        self.start()

    def run(self) -> None:
        try:
            with self._service.client() as client:
                self.labels, self.report = client.segment(
                    self._study, model=self._model, on_progress=self._told
                )
        except OsteoserveError as error:
            self.error = error
        finally:
            self.ended = time.monotonic()

    def reaches(self, stage: int) -> bool:
        """Wait until it has come to a stage."""
        return self._stages[stage].wait(30)

    def _told(self, progress: pb.Progress) -> None:
        self._stages[progress.stage].set()


def soon(condition: Callable[[], bool], *, within_s: float) -> bool:
    """Whether something comes true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
