"""How a client knows its service, and the service its client."""

from __future__ import annotations

import ipaddress
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from osteoserve_client.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a connection is made with.

    Args:
        ca: Certificates, PEM, of the authority that signed the service's: turns TLS on. None
            connects without TLS.
        certificate: The client's own, PEM, for a service that asks for one.
        key: Of that certificate, PEM; nobody else may read it.
        token: Sent with every call. Over TLS, or to this machine, only.

    Raises:
        UsageError: A certificate without its key, or without ``ca``.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise UsageError("TLS needs both certificate and key (--tls-certificate, --tls-key)")
        if self.certificate and not self.ca:
            raise UsageError("a client's certificate needs the service's authority (--tls-ca)")

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with every call."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    def channel(self, address: str, options: tuple[tuple[str, Any], ...]) -> Any:
        """A connection.

        Args:
            address: "HOST:PORT".
            options: Of gRPC.

        Raises:
            UsageError: A file cannot be read or is open to others, or the token would travel to
                another machine unencrypted.
        """
        if self.ca is None:
            if self.token and not is_loopback(host_and_port(address)[0]):
                raise UsageError(
                    f"a token is not sent to {address} without TLS: name its authority by --tls-ca"
                )
            return grpc.insecure_channel(address, options=options)
        credentials = grpc.ssl_channel_credentials(
            _read(self.ca),
            None if self.key is None else read_secret(self.key),
            None if self.certificate is None else _read(self.certificate),
        )
        return grpc.secure_channel(address, credentials, options=options)


def host_and_port(address: str) -> tuple[str, str]:
    """The parts of "HOST:PORT"; an IPv6 address stands in brackets."""
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), port


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and cannot be reached from another."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(path: Path) -> str:
    """The token in a file.

    Raises:
        UsageError: It cannot be read, is open to others, or holds something else.
    """
    token = read_secret(path).decode(errors="replace").strip()
    # Anything else gRPC would refuse with words that show it.
    if not token.isascii() or not token.isprintable() or not token or " " in token:
        raise UsageError(f"{path} does not hold a token and nothing else")
    return token


def read_secret(path: Path) -> bytes:
    """Content of a file that nobody else may read.

    Raises:
        UsageError: It cannot be read, or others may read or write it too.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            mode = stat.S_IMODE(status.st_mode)
            # Secrets come to a container as files of root that its group may read.
            of_root = status.st_uid == 0 != os.geteuid()
            if mode & (0o037 if of_root else 0o077):
                raise UsageError(
                    f"{path} is open to others (mode {mode:04o}): chmod 0600 {path.name}"
                )
            return file.read()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
