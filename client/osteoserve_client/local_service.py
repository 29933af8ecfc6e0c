"""An embedded service for one call: started as a child process, gone when the call is over."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO

from osteoserve_client.errors import ServiceUnavailableError

#: The child ends when its standard input reaches its end, whatever way this process ends.
COMMAND = (sys.executable, "-m", "osteoserve_client", "serve", "--announce", "--port", "0")
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 40.0


#: Settings of this machine's service (docs/configuration.md): it may ask for tokens, or for TLS.
SERVICE_VARIABLES = "OSTEOSERVE_SERVE_"


class LocalService:
    """A service of one's own on loopback; a context manager.

    Args:
        log: Where the child's standard error goes; None takes a temporary file that is gone
            afterwards.
        command: How to start the child.
        timeout_s: Longest to wait until it can segment.
        stop_timeout_s: Longest to wait until it has ended by itself.

    Raises (on entering):
        ServiceUnavailableError: The child failed or was not ready in time; the message ends
            with its last line.
    """

    def __init__(
        self,
        *,
        log: Path | None = None,
        command: tuple[str, ...] = COMMAND,
        timeout_s: float = START_TIMEOUT_S,
        stop_timeout_s: float = STOP_TIMEOUT_S,
    ) -> None:
        self._log_path = log
        self._command = command
        self._timeout_s = timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._log: IO[bytes] | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self.address = ""

    def __enter__(self) -> LocalService:
        self._log = self._open_log()
        try:
            self._child = self._started(self._log)
            self.address = self._announced_address()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def process(self) -> int:
        """Id of the child's process, for those who watch its memory.

        Raises:
            ServiceUnavailableError: It does not run.
        """
        if self._child is None:
            raise ServiceUnavailableError("the embedded service was not started")
        return self._child.pid

    def stop(self) -> None:
        """Let the child drain and end, and end it by force where it does not."""
        child, self._child = self._child, None
        if child is not None:
            self._end(child)
        if self._log is not None:
            self._log.close()

    def _started(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_own_environment(),
            )
        except OSError as error:
            raise ServiceUnavailableError(
                f"the embedded service could not be started: {error.strerror}"
            ) from error

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        if child.stdin:
            child.stdin.close()
        try:
            child.wait(self._stop_timeout_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout:
            child.stdout.close()

    def _open_log(self) -> IO[bytes]:
        if self._log_path is None:
            return tempfile.TemporaryFile()
        return self._log_path.open("w+b")

    def _announced_address(self) -> str:
        """The address in the one line that the child prints when it is ready."""
        lines: queue.Queue[bytes] = queue.Queue()
        stdout = self._child.stdout if self._child else None
        if stdout is None:
            raise ServiceUnavailableError("the embedded service was not started")
        threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
        try:
            line = lines.get(timeout=self._timeout_s)
        except queue.Empty:
            raise self._failure(f"was not ready within {self._timeout_s:g} s") from None
        if not line:
            raise self._failure("ended before it was ready")
        try:
            return str(json.loads(line)["address"])
        except (ValueError, TypeError, KeyError) as error:
            raise self._failure("announced no address") from error

    def _failure(self, what: str) -> ServiceUnavailableError:
        return ServiceUnavailableError(f"the embedded service {what}: {self._last_line()}")

    def _last_line(self) -> str:
        if self._log is None:
            return ""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "no word from it")


def _own_environment() -> dict[str, str]:
    """This process's, without what configures another service than one of one's own."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(SERVICE_VARIABLES)
    }
