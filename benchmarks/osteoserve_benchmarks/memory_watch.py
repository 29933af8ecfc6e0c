"""How much memory processes and all that they start hold together, at most."""

from __future__ import annotations

from threading import Event, Thread
from types import TracebackType
from typing import Final

from osteoserve_benchmarks.processes import process_tree, proportional_mb

PERIOD_S: Final = 0.05
#: Looks between two searches for new processes: each reads all of /proc.
_SEARCH: Final = 10


class MemoryWatch:
    """Watches while its context lasts; pages that processes share count once.

    Args:
        roots: Processes that live as long as the context.
    """

    def __init__(self, *roots: int) -> None:
        self._roots = roots
        self._ended = Event()
        self._thread = Thread(target=self._watch, name="memory-watch")
        self._most = 0.0

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def most_mb(self) -> float:
        """The most that they held at one look, in MB of 10^6 bytes."""
        return self._most

    def _watch(self) -> None:
        looks = 0
        while True:
            if looks % _SEARCH == 0:
                watched = {one for root in self._roots for one in process_tree(root)}
            self._most = max(self._most, sum(map(proportional_mb, watched)))
            looks += 1
            if self._ended.wait(PERIOD_S):
                return
