"""Watches one tritonserver after another, and replaces what ends or no longer answers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from osteoserve_preprocessing.errors import (
    InferenceError,
    TritonError,
    TritonStartError,
    TritonUnavailableError,
)
from osteoserve_preprocessing.triton.probe import Probe
from osteoserve_preprocessing.triton.process import TritonProcess

_LOG: Final = logging.getLogger(__name__)

#: Seconds from start to the first answer; three to five are usual.
START_TIMEOUT_S: Final = 120.0

#: Seconds between two looks at the process, and between two requests to its models.
WATCH_PERIOD_S: Final = 0.25
PROBE_PERIOD_S: Final = 2.0

#: Probes that must all succeed after one has failed: of several instances of a model, one may be
#: gone, and requests go to each in turn.
CONFIRMING_PROBES: Final = 4

#: Seconds to wait before a restart, by the number of those before it that failed; the last stays.
BACKOFF_S: Final = (0.0, 1.0, 2.0, 5.0, 10.0)


class Supervisor:
    """Keeps a tritonserver running.

    Args:
        launch: Starts a process; it need not answer yet.
        probe: Asks whichever process is running.
    """

    def __init__(self, launch: Callable[[], TritonProcess], probe: Probe) -> None:
        self._launch = launch
        self._probe = probe
        self._process: TritonProcess | None = None
        self._launching = threading.Lock()
        self._stopping = threading.Event()
        self._healthy = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="triton-watcher", daemon=True)
        self._last_probe = time.monotonic()
        self._failed_restarts = 0
        #: Starts after the first one.
        self.restarts = 0

    @property
    def healthy(self) -> bool:
        """Whether every model answered when it was last asked."""
        return self._healthy.is_set()

    def start(self) -> None:
        """Start a first process; return when every model has answered.

        Raises:
            TritonStartError: It ends, does not answer, or is stopped meanwhile; nothing is left
                running.
        """
        try:
            self._launch_and_wait()
            if self._stopping.is_set():
                raise TritonStartError("Triton was stopped while it started")
        except BaseException:
            with self._launching:
                self._end_process(in_good_order=False)
            raise
        self._watcher.start()

    def stop(self) -> None:
        """End the process, and wait until no trace of it is left; a `start` under way raises."""
        self._stopping.set()
        self._healthy.clear()
        with self._launching:  # from here on nobody launches any more
            self._end_process(in_good_order=True)
        if self._watcher.ident is not None:  # it was started
            self._watcher.join()

    def _watch(self) -> None:
        while not self._stopping.wait(WATCH_PERIOD_S):
            if not self._in_good_health():
                self._healthy.clear()
                self._restart()

    def _in_good_health(self) -> bool:
        if not self._healthy.is_set() or self._process is None or not self._process.alive:
            return False
        if time.monotonic() - self._last_probe < PROBE_PERIOD_S:
            return True
        self._last_probe = time.monotonic()
        return self._answers() or all(self._answers() for _ in range(CONFIRMING_PROBES))

    def _answers(self) -> bool:
        try:
            self._probe.check()
        except TritonError as error:
            if not self._stopping.is_set():
                _LOG.warning("the embedded Triton fails: %s", error)
            return False
        return True

    def _restart(self) -> None:
        delay = BACKOFF_S[min(self._failed_restarts, len(BACKOFF_S) - 1)]
        if self._stopping.wait(delay):
            return
        self.restarts += 1
        _LOG.warning("restarting the embedded Triton")
        try:
            self._launch_and_wait()
        except TritonStartError as error:
            self._failed_restarts += 1
            _LOG.error("the embedded Triton was not restarted: %s", error)
        else:
            self._failed_restarts = 0

    def _launch_and_wait(self) -> None:
        with self._launching:
            if self._stopping.is_set():
                return
            self._end_process(in_good_order=False)
            self._process = self._launch()
        self._await_answer(self._process)

    def _await_answer(self, process: TritonProcess) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._stopping.is_set():
            if not process.alive:
                raise TritonStartError(f"Triton ended: {process.log_reason()}")
            try:
                self._probe.check()
            except InferenceError as error:
                raise TritonStartError(f"Triton started, but does not work: {error}") from error
            except TritonUnavailableError as error:
                if time.monotonic() > deadline:
                    raise TritonStartError(f"Triton does not answer: {error}") from error
                self._stopping.wait(WATCH_PERIOD_S)
            else:
                self._last_probe = time.monotonic()
                self._healthy.set()
                return

    def _end_process(self, *, in_good_order: bool) -> None:
        if self._process is not None:
            self._process.stop(in_good_order=in_good_order)
            self._process = None
