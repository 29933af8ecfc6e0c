"""One service for all threads, waited for where it goes away."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from threading import Event, Lock
from time import monotonic

from osteoserve_client.errors import ServiceNotTrustedError, ServiceUnavailableError
from osteoserve_client.service import ServiceClient

#: How long one question lasts, so that an interrupt is heeded in between.
_ASK_S = 2.0

Connect = Callable[[], AbstractContextManager[ServiceClient]]


class Connection:
    """A client of the one service, opened when it is first needed; a context manager.

    Args:
        connect: Opens a client, and starts a service first where it is the batch's own.
        own: Whether it does: then one that is gone is started anew.
        wait_s: How long to wait for a service that went away.
    """

    def __init__(self, connect: Connect, *, own: bool, wait_s: float) -> None:
        self._connect = connect
        self._own = own
        self._wait_s = wait_s
        self._lock = Lock()
        self._stopped = Event()
        self._client: ServiceClient | None = None
        self._open = ExitStack()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def client(self) -> ServiceClient:
        """The client; waits while the service is being waited for.

        Raises:
            ServiceUnavailableError: The batch's own service could not be started.
        """
        with self._lock:
            if self._client is None:
                self._client = self._open.enter_context(self._connect())
            return self._client

    def recover(self, lost: ServiceClient) -> None:
        """Wait until the service answers again; the batch's own is started anew if need be.

        Args:
            lost: The client that found it gone, or full.

        Raises:
            ServiceUnavailableError: It did not come back in time.
        """
        with self._lock:
            if self._client is not lost:
                return
            try:
                self._wait(lost)
            except ServiceUnavailableError:
                if not self._own or self._stopped.is_set():
                    raise
                self._client = None
                self._open.close()
                self._client = self._open.enter_context(self._connect())

    def cancel(self) -> None:
        """End every call that runs, and wait for nothing any more."""
        self._stopped.set()
        client = self._client
        if client is not None:
            client.close()

    def _wait(self, client: ServiceClient) -> None:
        deadline = monotonic() + self._wait_s
        while True:
            try:
                return client.wait_ready(_ASK_S)
            except ServiceNotTrustedError:
                raise
            except ServiceUnavailableError:
                if self._stopped.is_set() or monotonic() >= deadline:
                    raise
