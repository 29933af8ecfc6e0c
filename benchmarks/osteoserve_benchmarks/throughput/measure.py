"""Closed loops, then open ones: the measuring behind ``osteoserve bench throughput``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from osteoserve_benchmarks.files import REGION, SEED
from osteoserve_benchmarks.machine import Machine, versions
from osteoserve_benchmarks.served import Served, serving
from osteoserve_benchmarks.throughput.arrivals import poisson_arrivals
from osteoserve_benchmarks.throughput.client import LoadClient
from osteoserve_benchmarks.throughput.load import Generator, Load
from osteoserve_benchmarks.triton_statistics import Watcher
from osteoserve_benchmarks.way import MODEL, Say, model_line
from osteoserve_benchmarks.workers import Worker
from osteoserve_client.phantom import make_ct_phantom
from osteoserve_client.service import Credentials

#: Rates of the open loop where none are named: parts of what the closed loop reached.
LOADS: Final = (0.5, 0.8, 1.1)


@dataclass(frozen=True)
class Throughput:
    """What was measured.

    Args:
        slices: Of the volume, 512x512 each.
        duration_s: In which volumes were sent, of each load.
        closed_loop: Rounds of each number of clients.
        open_loop: Rounds of each rate, volumes an hour.
        machine: Where.
        versions: Of what.
    """

    slices: int
    duration_s: float
    closed_loop: Mapping[int, tuple[Load, ...]]
    open_loop: Mapping[float, tuple[Load, ...]]
    machine: Machine
    versions: Mapping[str, str]


def measure_throughput(
    *,
    slices: int,
    concurrency: Sequence[int],
    duration_s: float,
    rounds: int,
    rates: Sequence[float] = (),
    server: str | None = None,
    credentials: Credentials | None = None,
    triton: str | None = None,
    say: Say = lambda _: None,
) -> Throughput:
    """Every number of clients in turn, round by round; then every rate likewise.

    Before anything counts, as many clients as there will ever be have one volume each answered.

    Args:
        slices: Of the phantom.
        concurrency: Numbers of clients.
        duration_s: Of each load, in which volumes are sent.
        rounds: How often each.
        rates: Of the open loop, volumes an hour; where empty, `LOADS` of the best closed loop.
        server: "HOST:PORT" of a running service; None starts one of its own.
        credentials: What that service asks for.
        triton: "HOST:PORT" of the Triton behind that service.
        say: Told of each step.

    Raises:
        OsteoserveError: Service or Triton cannot be had, or the service fails otherwise than by
            being full, or answers nothing.
    """
    machine = Machine.here()
    with ExitStack() as stack:
        service = stack.enter_context(serving(server, credentials, triton=triton))
        watcher = service.triton and stack.enter_context(Watcher(service.triton, MODEL))
        say(f"phantom, {slices} slices")
        workers = stack.enter_context(clients(service, slices, max(concurrency)))
        served = workers[0].ask("served")
        generator = Generator(service, workers, watcher or None)
        say("warm-up")
        generator.closed_loop(len(workers), 0.0)
        closed: dict[int, list[Load]] = {count: [] for count in concurrency}
        for number in range(rounds):
            for count, loads in closed.items():
                say(f"closed loop, {count} clients, round {number + 1} of {rounds}")
                loads.append(generator.closed_loop(count, duration_s))
        opened: dict[float, list[Load]] = {
            per_hour: [] for per_hour in (rates or _rates(list(closed.values())))
        }
        for number in range(rounds):
            for per_hour, loads in opened.items():
                say(f"open loop, {per_hour:.0f} volumes an hour, round {number + 1} of {rounds}")
                arrivals = poisson_arrivals(
                    per_second=per_hour / 3600, duration_s=duration_s, seed=number
                )
                loads.append(generator.open_loop(per_hour, arrivals))
    return Throughput(
        slices=slices,
        duration_s=duration_s,
        closed_loop={count: tuple(loads) for count, loads in closed.items()},
        open_loop={per_hour: tuple(loads) for per_hour, loads in opened.items()},
        machine=machine,
        versions=versions() | {"model": model_line(served)},
    )


def _rates(closed: Sequence[Sequence[Load]]) -> tuple[float, ...]:
    best = min(median(load.seconds_per_volume for load in loads) for loads in closed)
    return tuple(load * 3600 / best for load in LOADS)


@contextmanager
def clients(service: Served, slices: int, number: int) -> Iterator[list[Worker]]:
    """A process with a `LoadClient` for each client, and the one volume that all of them send.

    Args:
        service: To which they send.
        slices: Of the phantom.
        number: How many.
    """
    volume = make_ct_phantom(slices=slices, region=REGION, seed=SEED).volume
    with tempfile.TemporaryDirectory(prefix="osteoserve-bench-") as name, ExitStack() as stack:
        voxels = Path(name) / "voxels.npy"
        np.save(voxels, volume.voxels)
        make = partial(LoadClient, service.address, service.credentials, voxels, volume.geometry)
        del volume
        yield [stack.enter_context(Worker(make)) for _ in range(number)]
