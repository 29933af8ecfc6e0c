"""One more certificate by an authority that exists: of another client, a node, or in renewal."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.security.certificates import (
    Identity,
    make_client,
    make_node,
    make_server,
)
from osteoserve_preprocessing.server.security.first_credentials import AUTHORITY, AUTHORITY_KEY
from osteoserve_preprocessing.server.security.private_files import read_private, write_new

#: Both a label of a DNS name and a name of a file (RFC 1123, section 2.1).
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")

Make = Callable[[Identity, str, tuple[str, ...], datetime, int], Identity]

#: Who shows a certificate, and how it is made.
ROLES: Final[dict[str, Make]] = {
    "server": lambda by, _, hosts, now, days: make_server(by, hosts, now, days),
    "client": lambda by, name, _, now, days: make_client(by, name, now, days),
    "node": lambda by, _, hosts, now, days: make_node(by, hosts, now, days),
}


def make_further_certificate(
    folder: Path,
    role: str,
    *,
    authority: Path,
    name: str,
    hosts: tuple[str, ...],
    now: datetime,
    days: int,
) -> tuple[Path, Path]:
    """Make a certificate and its key.

    Args:
        folder: Where to; made if absent.
        role: One of `ROLES`.
        authority: Folder of the authority's certificate and key.
        name: What the files are called, and the client of a client's certificate.
        hosts: Names and addresses by which a server or node is reached; a client has none.
        now: UTC.
        days: For how long it is valid.

    Returns:
        The files: NAME.crt with mode 0644, NAME.key with mode 0600.

    Raises:
        OptionError: The authority cannot be read or does not outlive the certificate, a file is
            there already, or a name is none.
        OSError: They cannot be written; then neither is left.
    """
    if not _NAME.fullmatch(name):
        raise OptionError("a certificate's name has 1 to 63 letters, digits or hyphens")
    if role == "client" and hosts:
        raise OptionError("a client's certificate names no host")
    signer = read_authority(authority)
    if signer.certificate.not_valid_after_utc < now + timedelta(days=days):
        ends = signer.certificate.not_valid_after_utc
        raise OptionError(f"the authority itself ends on {ends:%Y-%m-%d}: give fewer days")
    made = ROLES[role](signer, name, hosts, now, days)
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        write_new(certificate, made.certificate_pem(), secret=False)
        try:
            write_new(key, made.key_pem(), secret=True)
        except OSError:
            certificate.unlink()
            raise
    except FileExistsError as error:
        raise OptionError(f"{error.filename} is there, and is never written over") from error
    return certificate, key


def read_authority(folder: Path) -> Identity:
    """The authority that `credentials init` made.

    Raises:
        OptionError: A file cannot be read or is no such thing, the two do not belong together, or
            the key is open to others.
    """
    pem = read_private(folder / AUTHORITY_KEY, "the authority's key")
    try:
        certificate = x509.load_pem_x509_certificate((folder / AUTHORITY).read_bytes())
        key = load_pem_private_key(pem, password=None)
    except OSError as error:
        raise OptionError(f"{folder / AUTHORITY} cannot be read: {error.strerror}") from error
    # TypeError: the key has a password.
    except (ValueError, TypeError) as error:
        raise OptionError(f"{folder} holds no {AUTHORITY} and {AUTHORITY_KEY} in PEM") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != (
        certificate.public_key()
    ):
        raise OptionError(f"{folder}: {AUTHORITY} and {AUTHORITY_KEY} do not belong together")
    return Identity(certificate, key)
