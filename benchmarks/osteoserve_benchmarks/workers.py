"""A process for each way, so that none shares threads or memory with another."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, NamedTuple

from osteoserve_benchmarks.processes import peak_rss_mb
from osteoserve_benchmarks.way import Stages


class Run(NamedTuple):
    """One run of one way.

    Args:
        seconds: From its first instruction to its last file, by the wall clock.
        stages: Its stages.
    """

    seconds: float
    stages: Stages


class Worker:
    """A warm process that holds one way; a context manager.

    Args:
        make: Makes the way, in the process; must be picklable, as ``partial(Plain, path)`` is.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown()

    def run(self, study: Path, out: Path) -> Run:
        """Run the way once; what it raises is raised here."""
        return self._pool.submit(_run, self._make, study, out).result()

    def ask(self, method: str, *arguments: Any) -> Any:
        """Call another of the way's methods."""
        return self.begin(method, *arguments).result()

    def begin(self, method: str, *arguments: Any) -> Future[Any]:
        """Call a method, and do not wait for it."""
        return self._pool.submit(_ask, self._make, method, *arguments)

    def compute(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in the process."""
        return self._pool.submit(function, *arguments).result()

    def peak_rss_mb(self) -> float:
        """The most memory that the process has held, in MB."""
        return float(self._pool.submit(peak_rss_mb).result())


#: The one way of this process.
_MADE: list[Any] = []


def _way(make: Callable[[], Any]) -> Any:
    if not _MADE:
        _MADE.append(make())
    return _MADE[0]


def _run(make: Callable[[], Any], study: Path, out: Path) -> Run:
    way = _way(make)
    began = perf_counter()
    stages = way.run(study, out)
    return Run(perf_counter() - began, dict(stages))


def _ask(make: Callable[[], Any], method: str, *arguments: Any) -> Any:
    return getattr(_way(make), method)(*arguments)
