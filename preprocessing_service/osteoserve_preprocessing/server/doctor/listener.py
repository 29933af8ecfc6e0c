"""What listens on the service's port already, with or without TLS."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIMEOUT_S: Final = 3.0

#: Listening on all addresses, a service is asked on this machine's own.
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


@dataclass(frozen=True)
class Listener:
    """A service that listens.

    Args:
        certificate: What it shows; None where it does not speak TLS.
        asks_certificate: Whether clients must show one, too: more cannot be asked of it then.
        health: "SERVING", "NOT_SERVING", or "" where it lets nobody ask without a token; None
            where what listens is no service of health.
    """

    certificate: x509.Certificate | None
    asks_certificate: bool
    health: str | None


def bind_error(host: str, port: int) -> OSError | None:
    """Why a port cannot be listened on; None where it can."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def is_taken(error: OSError) -> bool:
    """Whether the reason is that something listens there."""
    return error.errno == errno.EADDRINUSE


def listener(host: str, port: int) -> Listener:
    """Ask what listens there, as a client would that shows nothing."""
    host = _WILDCARDS.get(host, host)
    certificate, asks = _handshake(host, port)
    health = None if asks else _health(host, port, certificate)
    return Listener(certificate, asks, health)


def _handshake(host: str, port: int) -> tuple[x509.Certificate | None, bool]:
    """The certificate that is shown, and whether one is asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    # Only to look at it: nothing is sent.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    shown = None
    try:
        with (
            socket.create_connection((host, port), timeout=TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            shown = secured.getpeercert(binary_form=True)
            # Who wants a certificate says so after the handshake (RFC 8446, section 4.4.2.4), or
            # hangs up; who does not is the first to speak HTTP/2.
            asks = not secured.recv(1)
    except OSError:  # and ssl.SSLError
        asks = shown is not None
    return (x509.load_der_x509_certificate(shown) if shown else None), asks


def _health(host: str, port: int, certificate: x509.Certificate | None) -> str | None:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    with _channel(address, certificate) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S
            )
        except grpc.RpcError as error:
            strange = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
            return "" if error.code() in strange else None
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def _channel(address: str, certificate: x509.Certificate | None) -> Any:
    if certificate is None:
        return grpc.insecure_channel(address)
    # Trusted for this one question, whatever it is called: it is looked at by the caller.
    credentials = grpc.ssl_channel_credentials(certificate.public_bytes(Encoding.PEM))
    options = [("grpc.ssl_target_name_override", name) for name in _names(certificate)[:1]]
    return grpc.secure_channel(address, credentials, options)


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(each.value) for each in names]
