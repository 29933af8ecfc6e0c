"""One client of many: a process that holds a volume and sends it, again and again."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, process_time, sleep
from typing import Final, NamedTuple

import numpy as np

from osteoserve_benchmarks.way import MODEL
from osteoserve_client.errors import ServiceBusyError
from osteoserve_client.service import Credentials, ServiceClient
from osteoserve_preprocessing.geometry import Geometry, Volume

#: Seconds that a rejected client waits before it sends again.
BACK_OFF_S: Final = 1.0


class Call(NamedTuple):
    """One volume that was sent. Times are seconds since the load began.

    Args:
        client: Number of the client.
        intended: When it was to be sent: in a closed loop, when it was.
        sent: When it was sent.
        ended: When label map and report, or the refusal, were there.
        digest: SHA-256 of the label map, hexadecimal; empty where the service was full
            (RESOURCE_EXHAUSTED).
    """

    client: int
    intended: float
    sent: float
    ended: float
    digest: str

    @property
    def answered(self) -> bool:
        """Whether a label map came."""
        return bool(self.digest)

    @property
    def latency(self) -> float:
        """From when it was to be sent, so that waiting for one's own turn counts."""
        return self.ended - self.intended


class Sent(NamedTuple):
    """What one client did.

    Args:
        calls: In the order in which they were to be sent.
        cpu_s: Processor time that it took.
    """

    calls: tuple[Call, ...]
    cpu_s: float


class LoadClient:
    """A client with its volume in memory, of which all clients share the pages.

    Whatever goes wrong but a full service is raised, and nothing is tried twice.

    Args:
        address: "HOST:PORT" of the service.
        credentials: What it asks for.
        voxels: File of NumPy's format: (Z, Y, X) int16, HU.
        geometry: Where they lie.
    """

    def __init__(
        self, address: str, credentials: Credentials | None, voxels: Path, geometry: Geometry
    ) -> None:
        self._volume = Volume(np.load(voxels, mmap_mode="r"), geometry)
        self._client = ServiceClient(address, credentials=credentials, retry_delays_s=())

    def served(self) -> tuple[str, str, str]:
        """Version, precision and digest of the model that answers."""
        model = self._client.model(MODEL)
        return model.version, model.precision, model.digest

    def closed_loop(self, number: int, start: float, duration_s: float) -> Sent:
        """Send the next volume when the last is answered; at least one.

        Args:
            number: Of this client.
            start: When to begin, by the machine's monotonic clock.
            duration_s: After which no further one is sent.
        """
        calls: list[Call] = []
        cpu = process_time()
        sleep_until(start)
        while not calls or monotonic() < start + duration_s:
            calls.append(self._call(number, start))
            if not calls[-1].answered:
                sleep(BACK_OFF_S)
        return Sent(tuple(calls), process_time() - cpu)

    def open_loop(self, number: int, start: float, arrivals: tuple[float, ...]) -> Sent:
        """Send a volume at each arrival, answered or not what was sent before.

        Args:
            number: Of this client.
            start: When the load begins, by the machine's monotonic clock.
            arrivals: Seconds after that; each has a thread of its own.
        """
        cpu = process_time()
        with ThreadPoolExecutor(max(1, len(arrivals))) as pool:
            waiting = []
            for arrival in arrivals:
                sleep_until(start + arrival)
                waiting.append(pool.submit(self._call, number, start, arrival))
        return Sent(tuple(call.result() for call in waiting), process_time() - cpu)

    def _call(self, number: int, start: float, intended: float | None = None) -> Call:
        sent = monotonic() - start
        try:
            labels, _ = self._client.segment(self._volume, model=MODEL)
        except ServiceBusyError:
            ended, digest = monotonic() - start, ""
        else:
            ended, digest = monotonic() - start, hashlib.sha256(labels.data).hexdigest()
        return Call(number, sent if intended is None else intended, sent, ended, digest)


def sleep_until(moment: float) -> None:
    """Return when the monotonic clock has come so far, at once where it has."""
    sleep(max(0.0, moment - monotonic()))
