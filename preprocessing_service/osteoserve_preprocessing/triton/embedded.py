"""A tritonserver of our own that lives as long as the program, and no longer."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, cast

from osteoserve_preprocessing.errors import TritonStartError
from osteoserve_preprocessing.profiles import CPU
from osteoserve_preprocessing.triton.ports import LOOPBACK, ReservedPort
from osteoserve_preprocessing.triton.probe import Probe
from osteoserve_preprocessing.triton.process import LaunchOptions, TritonProcess
from osteoserve_preprocessing.triton.repository import check_repository
from osteoserve_preprocessing.triton.supervisor import Supervisor


class EmbeddedTriton:
    """A supervised tritonserver that serves one model repository on loopback.

    Where it ends, or a model no longer answers a real request, it is started again at the same
    address. It ends with this process, whatever way that ends, and leaves no process, file or
    shared memory behind.

    Args:
        repository: A Triton model repository.
        profile: Which ``configs/<profile>.pbtxt`` of each model to use.
        models: Names of the models to serve; none stands for all of the repository.
        log: File to append Triton's log to; None to keep it for error messages only.
        metrics: Whether it serves Prometheus metrics, on a loopback port of their own.
    """

    def __init__(
        self,
        repository: Path,
        *,
        profile: str = CPU,
        models: Sequence[str] = (),
        log: Path | None = None,
        metrics: bool = False,
    ) -> None:
        self._repository = repository.resolve()
        self._profile = profile
        self._models = tuple(models)
        self._log = log
        self._metrics = metrics
        self._metrics_url: str | None = None
        self._held = ExitStack()
        self._address: str | None = None
        self._supervisor: Supervisor | None = None

    def __enter__(self) -> EmbeddedTriton:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def grpc_address(self) -> str:
        """Host and port of its gRPC endpoint, the same from start to stop.

        Raises:
            TritonStartError: It has not been started.
        """
        if self._address is None:
            raise TritonStartError("the embedded Triton has not been started")
        return self._address

    @property
    def metrics_url(self) -> str | None:
        """Where its metrics are while it is started; None where it serves none."""
        return self._metrics_url

    @property
    def restarts(self) -> int:
        """How often it was started again since the start."""
        return 0 if self._supervisor is None else self._supervisor.restarts

    @property
    def alive(self) -> bool:
        """Whether it runs, and every model answered when it was last asked."""
        return self._supervisor is not None and self._supervisor.healthy

    def start(self) -> None:
        """Start it, and return when every model has answered a request.

        Raises:
            TritonStartError: It does not start; the message holds the reason from Triton's log.
                Or `stop` was called meanwhile.
        """
        if self._supervisor is not None:
            raise TritonStartError("the embedded Triton has been started already")
        check_repository(self._repository, self._profile, self._models)
        with ExitStack() as held:
            log = held.enter_context(self._open_log())
            port = held.enter_context(ReservedPort())
            address = f"{LOOPBACK}:{port.number}"
            metrics_port = self._reserve_metrics_port(held)
            probe = Probe(address)
            held.callback(probe.close)
            options = LaunchOptions(
                self._repository,
                self._profile,
                port.number,
                models=self._models,
                metrics_port=metrics_port,
            )
            self._supervisor = Supervisor(lambda: TritonProcess(options, log), probe)
            held.callback(self._forget_supervisor)
            self._supervisor.start()
            self._held = held.pop_all()
        self._address = address
        if metrics_port is not None:
            self._metrics_url = f"http://{LOOPBACK}:{metrics_port}/metrics"

    def stop(self) -> None:
        """End it, and wait until no process, file or shared memory of it is left.

        From another thread it also ends a `start` that is under way, which then raises.
        """
        supervisor = self._supervisor
        if supervisor is not None:
            supervisor.stop()
        self._address = self._metrics_url = None
        self._held.close()

    def _forget_supervisor(self) -> None:
        self._supervisor = None

    def _reserve_metrics_port(self, held: ExitStack) -> int | None:
        if not self._metrics:
            return None
        return held.enter_context(ReservedPort(socket.SO_REUSEADDR)).number

    def _open_log(self) -> IO[bytes]:
        if self._log is None:
            return cast(IO[bytes], tempfile.TemporaryFile("a+b"))
        try:
            return self._log.open("a+b")
        except OSError as error:
            raise TritonStartError(f"Triton's log cannot be written: {error}") from error
