"""A TCP port on loopback that stays ours while the server behind it comes and goes."""

from __future__ import annotations

import socket
from types import TracebackType

LOOPBACK = "127.0.0.1"


class ReservedPort:
    """A free port, held by a bound socket that never listens.

    A server that sets SO_REUSEPORT (as tritonserver does with ``--reuse-grpc-port``) and runs as
    the same user can listen on it, once or again after a restart; nobody else gets it meanwhile.
    While no server listens, connections are refused.

    Args:
        option: Of ``SOL_SOCKET``, by which that server shares it. With SO_REUSEADDR, which is what
            tritonserver sets for metrics, a server of another user could take it while none
            listens.
    """

    def __init__(self, option: int = socket.SO_REUSEPORT) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, option, 1)
            self._socket.bind((LOOPBACK, 0))
        except OSError:
            self._socket.close()
            raise
        self.number: int = self._socket.getsockname()[1]

    def __enter__(self) -> ReservedPort:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the port back."""
        self._socket.close()
