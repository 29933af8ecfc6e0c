"""pynetdicom's server with bounds that it does not have: on peers, on a PDU's size and patience.

By itself it reads as many bytes as a PDU says that it has, up to 4 GiB, waits for them for ever,
and lets one peer's TLS handshake hold up all others.
"""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Callable
from time import monotonic
from typing import Any

from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from osteoserve_client.node.events import warn
from osteoserve_client.node.settings import NodeSettings

#: An association request may be longer than what is agreed for data: PS3.8 D.1 bounds only these.
_REQUEST_BYTES = 256 * 1024
#: Connections above the associations that are let in so far as to be told that there are too many.
_TURNED_AWAY = 8
_READ_BYTES = 1 << 16


class _Handler(RequestHandler):
    server: BoundedServer

    def _create_association(self) -> Association:
        bounds = self.server.settings.bounds
        # Of the accepted socket, TLS handshake included; without it a read has no end.
        self.request.settimeout(bounds.idle_s)
        association = super()._create_association()
        reader = association.dul.socket
        if reader is None:
            raise RuntimeError("an association without its socket")
        most = max(bounds.pdu_bytes + 6, _REQUEST_BYTES)
        bounded = _bounded(reader, most, bounds.idle_s)
        reader.recv = bounded  # type: ignore[method-assign, assignment]
        return association


def _bounded(reader: AssociationSocket, most: int, patience_s: float) -> Callable[[int], bytearray]:
    """Read exactly so many bytes, or fewer where the peer has closed.

    Args:
        reader: Of the peer.
        most: How many may be asked for.
        patience_s: Longest that all of them may take.
    """

    def receive(wanted: int) -> bytearray:
        # Asked for each time: once the association is over, nothing may keep its socket.
        connection = reader.socket
        if connection is None or wanted > most:
            raise OSError(f"a PDU of {wanted} bytes, or a connection that is closed")
        data, until = bytearray(), monotonic() + patience_s
        while len(data) < wanted:
            part = connection.recv(min(_READ_BYTES, wanted - len(data)))
            if not part:
                break
            data += part
            if monotonic() > until:
                raise TimeoutError("a PDU that does not end")
        return data

    return receive


class BoundedServer(ThreadedAssociationServer):
    """Listens, and lets in who may.

    Args:
        ae: What it serves.
        settings: Who may connect, and how much.
        tls: For TLS connections only.
        handlers: Of pynetdicom's events.

    Raises:
        OSError: The address cannot be listened on.
    """

    daemon_threads = True

    def __init__(
        self,
        ae: ApplicationEntity,
        *,
        settings: NodeSettings,
        tls: ssl.SSLContext | None,
        handlers: list[Any],
    ) -> None:
        self.settings = settings
        super().__init__(
            ae,
            (settings.host, settings.port),
            settings.ae_title,
            ae.supported_contexts,
            ssl_context=tls,
            evt_handlers=handlers,
            request_handler=_Handler,
        )

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; its TLS handshake follows in a thread of its own."""
        if self.socket is None:
            raise OSError("the server is closed")
        connection, address = self.socket.accept()
        if self.ssl_context:
            connection = self.ssl_context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether a peer may go on; where not, its connection is closed without a word."""
        del request
        address = str(client_address[0])
        if not self.settings.admits(address):
            warn("refused", address=address, why="address not allowed")
            return False
        if len(self.active_associations) >= self.settings.bounds.associations + _TURNED_AWAY:
            warn("refused", address=address, why="too many connections")
            return False
        return True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """In place of a traceback, which may quote what a peer sent."""
        del request
        warn("connection", address=client_address[0], why=type(sys.exception()).__name__)
