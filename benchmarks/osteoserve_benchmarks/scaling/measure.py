"""Volumes of one body in ever more slices: the measuring behind ``osteoserve bench scaling``."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from osteoserve_benchmarks.files import phantom_study
from osteoserve_benchmarks.machine import Machine, versions
from osteoserve_benchmarks.memory_watch import MemoryWatch
from osteoserve_benchmarks.ours import Ours
from osteoserve_benchmarks.processes import proportional_mb
from osteoserve_benchmarks.served import serving
from osteoserve_benchmarks.way import Say, model_line
from osteoserve_benchmarks.workers import Run, Worker
from osteoserve_client.service import Credentials


@dataclass(frozen=True)
class Point:
    """Volumes of one size.

    Args:
        slices: Of 512x512 each.
        runs: From DICOM files to files on disk, warm-up left out.
        idle_mb: What service and Triton held before the first volume; None where not ours.
        peak_mb: The most that they held together at one moment from then on; likewise.
        client_peak_mb: The most that the client has held.
    """

    slices: int
    runs: tuple[Run, ...]
    idle_mb: float | None
    peak_mb: float | None
    client_peak_mb: float

    @property
    def above_idle_mb(self) -> float | None:
        """What the volumes took in service and Triton."""
        if self.peak_mb is None or self.idle_mb is None:
            return None
        return self.peak_mb - self.idle_mb


@dataclass(frozen=True)
class Scaling:
    """What was measured.

    Args:
        rounds: How often each size ran, warm-up left out.
        points: In the order in which they were measured.
        machine: Where.
        versions: Of what.
    """

    rounds: int
    points: tuple[Point, ...]
    machine: Machine
    versions: Mapping[str, str]


def measure_scaling(
    *,
    slices: Sequence[int],
    rounds: int,
    server: str | None = None,
    credentials: Credentials | None = None,
    say: Say = lambda _: None,
) -> Scaling:
    """Each size with a fresh service and client, so that none inherits another's memory.

    Args:
        slices: The sizes.
        rounds: How often each, after once to warm up.
        server: "HOST:PORT" of a running service, which then serves all sizes.
        credentials: What that service asks for.
        say: Told of each step.

    Raises:
        OsteoserveError: The service cannot be had, or fails.
    """
    machine = Machine.here()
    points: list[Point] = []
    for size in slices:
        with tempfile.TemporaryDirectory(prefix="osteoserve-bench-") as name:
            say(f"phantom, {size} slices")
            study = phantom_study(size, Path(name) / "study")
            point, served = _point(size, study, rounds, server, credentials, say)
        points.append(point)
    return Scaling(
        rounds=rounds,
        points=tuple(points),
        machine=machine,
        versions=versions() | {"model": model_line(served)},
    )


def _point(
    size: int,
    study: Path,
    rounds: int,
    server: str | None,
    credentials: Credentials | None,
    say: Say,
) -> tuple[Point, tuple[str, str, str]]:
    with (
        serving(server, credentials) as service,
        Worker(partial(Ours, service.address, service.credentials)) as worker,
    ):
        served = worker.ask("served")
        idle = service.total(proportional_mb)
        out = study.parent / "out"
        out.mkdir()
        runs = []
        with MemoryWatch(*service.processes()) as watch:
            for number in range(rounds + 1):
                say(f"{size} slices, {f'round {number} of {rounds}' if number else 'warm-up'}")
                runs.append(worker.run(study, out))
        return (
            Point(
                slices=size,
                runs=tuple(runs[1:]),
                idle_mb=idle,
                peak_mb=None if idle is None else watch.most_mb,
                client_peak_mb=worker.peak_rss_mb(),
            ),
            served,
        )
