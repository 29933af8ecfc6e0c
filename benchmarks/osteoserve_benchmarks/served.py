"""The service that is measured: one of our own, which can be watched, or a running one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from osteoserve_benchmarks.processes import PROC, process_tree
from osteoserve_benchmarks.way import MODEL
from osteoserve_client.local_service import COMMAND, LocalService
from osteoserve_client.service import Credentials

_PORT: Final = "--grpc-port="


@dataclass(frozen=True)
class Served:
    """A service that answers.

    Args:
        address: "HOST:PORT".
        credentials: What it asks for.
        process: Its id where it was started here.
        triton: "HOST:PORT" of the gRPC endpoint of the Triton behind it; None where not known.
    """

    address: str
    credentials: Credentials | None
    process: int | None
    triton: str | None

    def processes(self) -> tuple[int, ...]:
        """Service and Triton, as they are now; none where they were not started here."""
        return () if self.process is None else process_tree(self.process)

    def total(self, of: Callable[[int], float]) -> float | None:
        """The sum over the processes of service and Triton; None where they are not ours.

        Args:
            of: A figure of one process.
        """
        return None if self.process is None else sum(map(of, self.processes()))


@contextmanager
def serving(
    server: str | None = None,
    credentials: Credentials | None = None,
    *,
    triton: str | None = None,
) -> Iterator[Served]:
    """The named service, or one with an embedded Triton that lives as long as the context.

    Args:
        server: "HOST:PORT" of a running service; None starts one.
        credentials: What that service asks for.
        triton: "HOST:PORT" of the Triton behind that service, for its statistics.

    Raises:
        ServiceUnavailableError: None could be started.
    """
    if server is not None:
        yield Served(server, credentials, None, triton)
        return
    with LocalService(command=(*COMMAND, "--model", MODEL)) as local:
        yield Served(local.address, None, local.process, _triton_address(local.process))


def _triton_address(service: int) -> str:
    """Where the embedded Triton listens: nobody outside is told, so its command line is read."""
    for process in process_tree(service):
        for word in (PROC / str(process) / "cmdline").read_text().split("\0"):
            if word.startswith(_PORT):
                return f"127.0.0.1:{word.removeprefix(_PORT)}"
    raise ValueError("no process of the service was told where Triton is to listen")
