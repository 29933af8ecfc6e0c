"""The server's side of TLS, checked before a port is opened."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.records import utc_now
from osteoserve_preprocessing.server.security.private_files import read_private


@dataclass(frozen=True)
class TlsFiles:
    """PEM files.

    Args:
        certificate: The server's, with what signed it below, except the root.
        key: Of that certificate; nobody else may read it.
        client_ca: Whose certificates clients must show; None asks them for none.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


def server_credentials(files: TlsFiles) -> Any:
    """Credentials of a server, as gRPC takes them.

    Raises:
        OptionError: A file cannot be read, is not what it must be, does not fit the others, or
            is open to others; or the certificate is not valid today.
    """
    key = read_private(files.key, "TLS key")
    certificate = _read(files.certificate, "TLS certificate")
    client_ca = None if files.client_ca is None else _read(files.client_ca, "TLS client CA")
    # gRPC itself would take anything, and fail every handshake.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (ssl.SSLError, OptionError) as error:
        raise OptionError(
            f"TLS certificate {files.certificate} and key {files.key} are no PEM files that belong "
            "together, or the key has a password"
        ) from error
    if files.client_ca is not None:
        try:
            context.load_verify_locations(files.client_ca)
        except ssl.SSLError as error:
            raise OptionError(f"TLS client CA {files.client_ca} holds no certificate") from error
    _check_dates(certificate, files.certificate)
    return grpc.ssl_server_credentials(
        ((key, certificate),),
        root_certificates=client_ca,
        require_client_auth=client_ca is not None,
    )


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OptionError(f"{option} {path} cannot be read: {error.strerror}") from error


def _no_password() -> str:
    # Without this OpenSSL would ask on the terminal and wait.
    raise OptionError("the key has a password")


def _check_dates(certificate: bytes, path: Path) -> None:
    from cryptography import x509

    valid, now = x509.load_pem_x509_certificate(certificate), utc_now()
    if now >= valid.not_valid_after_utc:
        raise OptionError(f"TLS certificate {path} expired on {valid.not_valid_after_utc:%Y-%m-%d}")
    if now < valid.not_valid_before_utc:
        raise OptionError(
            f"TLS certificate {path} is valid only from {valid.not_valid_before_utc:%Y-%m-%d} on"
        )
