"""One load on the service, and what was counted while it ran."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from osteoserve_benchmarks.processes import cpu_seconds
from osteoserve_benchmarks.served import Served
from osteoserve_benchmarks.throughput.client import Call, Sent
from osteoserve_benchmarks.triton_statistics import Counts, Watcher
from osteoserve_benchmarks.workers import Worker
from osteoserve_client.errors import ServiceBusyError, ServiceError

#: Seconds for every client to be told when to begin.
LEAD_S: Final = 0.5


@dataclass(frozen=True)
class Load:
    """What came of one load.

    Args:
        clients: Processes that sent.
        per_hour: Rate of arrivals, volumes an hour; None in a closed loop.
        calls: All of them; at least one is answered.
        triton: What Triton counted meanwhile, some of it; None where it could not be asked.
        instances: Of the model in Triton.
        service_cpu_s: Processor time of service and Triton; None where they are not ours.
        client_cpu_s: Processor time of the clients.
    """

    clients: int
    per_hour: float | None
    calls: tuple[Call, ...]
    triton: Counts | None
    instances: int
    service_cpu_s: float | None
    client_cpu_s: float

    @property
    def answered(self) -> tuple[Call, ...]:
        """Calls that brought a label map."""
        return tuple(call for call in self.calls if call.answered)

    @property
    def wall_s(self) -> float:
        """From the beginning to the last answer or refusal."""
        return max(call.ended for call in self.calls)

    @property
    def seconds_per_volume(self) -> float:
        """Wall time over answers: the inverse of the rate."""
        return self.wall_s / len(self.answered)

    @property
    def slowest_share(self) -> float | None:
        """Answers to the client that got fewest over answers to each on average, 0..1.

        None in an open loop, whose clients are not equally asked.
        """
        if self.per_hour is not None:
            return None
        counts = [sum(call.client == n for call in self.answered) for n in range(self.clients)]
        return min(counts) * self.clients / sum(counts)

    @property
    def triton_busy(self) -> float | None:
        """Part of the wall time in which the model's instances worked."""
        if self.triton is None:
            return None
        return self.triton.compute_s / (self.wall_s * self.instances)

    @property
    def service_cores(self) -> float | None:
        """Cores that service and Triton kept at work, on average."""
        return None if self.service_cpu_s is None else self.service_cpu_s / self.wall_s

    @property
    def client_cores(self) -> float:
        """Cores that the clients kept at work, on average."""
        return self.client_cpu_s / self.wall_s


class Generator:
    """Puts loads on a service.

    Args:
        service: That is measured.
        workers: One process for each client.
        watcher: Of its Triton.

    Every load raises what a client raised, ServiceBusyError where no volume was answered, and
    ServiceError where the Triton that is watched has not worked for them.
    """

    def __init__(self, service: Served, workers: Sequence[Worker], watcher: Watcher | None) -> None:
        self._service = service
        self._workers = workers
        self._watcher = watcher
        self._instances = watcher.instances() if watcher else 1

    def closed_loop(self, clients: int, duration_s: float) -> Load:
        """So many clients, each of which sends the next volume when the last is answered."""

        def begin(number: int, start: float) -> Future[Any]:
            return self._workers[number].begin("closed_loop", number, start, duration_s)

        return self._load(clients, None, begin)

    def open_loop(self, per_hour: float, arrivals: tuple[float, ...]) -> Load:
        """Volumes that come when they come, dealt to all clients in turn."""
        clients = len(self._workers)

        def begin(number: int, start: float) -> Future[Any]:
            return self._workers[number].begin(
                "open_loop", number, start, arrivals[number::clients]
            )

        return self._load(clients, per_hour, begin)

    def _load(
        self, clients: int, per_hour: float | None, begin: Callable[[int, float], Future[Any]]
    ) -> Load:
        counts = self._watcher.counts() if self._watcher else None
        cpu = self._service.total(cpu_seconds)
        start = monotonic() + LEAD_S
        running = [begin(number, start) for number in range(clients)]
        sent: list[Sent] = [each.result() for each in running]
        cpu_after = self._service.total(cpu_seconds)
        calls = tuple(call for each in sent for call in each.calls)
        if not any(call.answered for call in calls):
            raise ServiceBusyError(f"the service answered none of {len(calls)} volumes: it is full")
        return Load(
            clients=clients,
            per_hour=per_hour,
            calls=calls,
            triton=self._counted(counts),
            instances=self._instances,
            service_cpu_s=None if cpu is None or cpu_after is None else cpu_after - cpu,
            client_cpu_s=sum(each.cpu_s for each in sent),
        )

    def _counted(self, before: Counts | None) -> Counts | None:
        if self._watcher is None or before is None:
            return None
        counted = self._watcher.counts().since(before)
        if not counted.executions:
            raise ServiceError("the Triton that was named is not the one behind the service")
        return counted
