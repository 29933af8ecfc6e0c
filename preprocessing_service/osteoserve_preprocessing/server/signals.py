"""What a running service is told from outside: to stop, to stop at once, to reload its models."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

_STDIN = 0


class Signals:
    """Events that are set when somebody tells the process so.

    SIGTERM and SIGINT stop it, and a second one stops it at once; SIGHUP reloads the models, but
    stops it where it says that the terminal is gone in which the service was started.
    """

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.stop_at_once = asyncio.Event()
        self.reload = asyncio.Event()
        self._has_terminal = os.isatty(_STDIN)

    def listen(self, *, until_stdin_ends: bool = False) -> None:
        """Listen from now on, in the running event loop.

        Args:
            until_stdin_ends: Stop also when standard input ends, as it does when the parent dies.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        if until_stdin_ends:
            threading.Thread(target=self._await_end_of_stdin, args=(loop,), daemon=True).start()

    def _on_stop(self) -> None:
        (self.stop_at_once if self.stop.is_set() else self.stop).set()

    def _on_hangup(self) -> None:
        terminal_is_gone = self._has_terminal and not os.isatty(_STDIN)
        (self.stop if terminal_is_gone else self.reload).set()

    def _await_end_of_stdin(self, loop: asyncio.AbstractEventLoop) -> None:
        # The descriptor, not sys.stdin: a thread that waits in its buffer would block the exit.
        while os.read(_STDIN, 4096):
            pass
        loop.call_soon_threadsafe(self.stop.set)
