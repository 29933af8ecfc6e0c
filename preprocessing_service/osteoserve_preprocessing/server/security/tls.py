"""The server's side of TLS: checked before a port is opened, and read again when it changes."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.records import utc_now
from osteoserve_preprocessing.server.security.private_files import read_private

logger: Final = logging.getLogger(__name__)

#: Which file a path named, and when it was last changed; None for each that is not there.
Stamps = tuple[tuple[int, int] | None, ...]


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
    """Credentials of a server, as gRPC takes them; renewed files count from the next connection on.

    Whether clients must show a certificate at all stays as it is.

    Raises:
        OptionError: As `server_context`.
    """
    current = CurrentTls(files)
    return grpc.dynamic_ssl_server_credentials(
        current.configuration(),
        current.renewed,
        require_client_authentication=files.client_ca is not None,
    )


class CurrentTls:
    """What the files hold now, or held when they last were sound.

    Args:
        files: They.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._seen: Stamps | None = _stamps(files)

    def configuration(self) -> Any:
        """What they hold, as gRPC takes it.

        Raises:
            OptionError: They are not sound; see `server_context`.
        """
        return _configuration(self._files)

    def renewed(self) -> Any | None:
        """What they hold where they have changed; None where they have not, or are not sound.

        gRPC asks before every handshake. Files that are not sound are reported once: certificate
        and key are seldom replaced in the same moment.
        """
        found = _stamps(self._files)
        if found == self._seen:
            return None
        self._seen = found
        try:
            configuration = self.configuration()
        except OptionError as error:
            logger.error("renewed TLS files are not taken, the former stay in use: %s", error)
            return None
        if _stamps(self._files) != found:
            self._seen = None  # replaced while they were read: the next connection reads them again
            return None
        logger.info("renewed TLS files are in use")
        return configuration


def _stamps(files: TlsFiles) -> Stamps:
    return tuple(map(_stamp, filter(None, (files.certificate, files.key, files.client_ca))))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns


def _configuration(files: TlsFiles) -> Any:
    # gRPC itself would take anything, and fail every handshake.
    server_context(files)
    key = read_private(files.key, "TLS key")
    client_ca = None if files.client_ca is None else _read(files.client_ca, "TLS client CA")
    return grpc.ssl_server_certificate_configuration(
        ((key, _read(files.certificate, "TLS certificate")),), root_certificates=client_ca
    )


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """What they hold now, for a server of Python's own.

    Raises:
        OptionError: A file cannot be read, is not what it must be, does not fit the others, or
            is open to others; or the certificate is not valid today.
    """
    read_private(files.key, "TLS key")
    certificate = _read(files.certificate, "TLS certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (OSError, OptionError) as error:
        raise OptionError(
            f"TLS certificate {files.certificate} and key {files.key} are no PEM files that belong "
            "together, or the key has a password"
        ) from error
    if files.client_ca is not None:
        _read(files.client_ca, "TLS client CA")
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(files.client_ca)
        except OSError as error:
            raise OptionError(f"TLS client CA {files.client_ca} holds no certificate") from error
    _check_dates(certificate, files.certificate)
    return context


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

    try:
        valid, now = x509.load_pem_x509_certificate(certificate), utc_now()
    except ValueError as error:
        raise OptionError(f"TLS certificate {path} does not begin with a certificate") from error
    if now >= valid.not_valid_after_utc:
        raise OptionError(f"TLS certificate {path} expired on {valid.not_valid_after_utc:%Y-%m-%d}")
    if now < valid.not_valid_before_utc:
        raise OptionError(
            f"TLS certificate {path} is valid only from {valid.not_valid_before_utc:%Y-%m-%d} on"
        )
