"""Credentials as the command makes them, and services that use them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from osteoserve_client.service import Credentials
from osteoserve_preprocessing.server.security.certificates import Identity, make_client
from osteoserve_preprocessing.server.security.first_credentials import make_first_credentials
from osteoserve_preprocessing.server.security.token_changes import add_token
from osteoserve_preprocessing.server.security.tokens import new_token


@dataclass(frozen=True)
class Folder:
    """What `osteoserve credentials init` makes."""

    path: Path

    def __getitem__(self, name: str) -> Path:
        return self.path / name

    @property
    def token(self) -> str:
        return self["client.token"].read_text().strip()

    @property
    def tls(self) -> dict[str, str]:
        """Settings of a service with TLS."""
        return {"tls_certificate": str(self["server.crt"]), "tls_key": str(self["server.key"])}

    @property
    def with_token(self) -> Credentials:
        return Credentials(ca=self["ca.crt"], token=self.token)

    @property
    def with_certificate(self) -> Credentials:
        return Credentials(
            ca=self["ca.crt"], certificate=self["client.crt"], key=self["client.key"]
        )

    def add(self, name: str, *scopes: str, expires: datetime | None = None) -> str:
        """Add a token."""
        token, entry = new_token(name, scopes, expires=expires)
        add_token(self["tokens.json"], entry)
        return token


def make(path: Path, *, now: datetime | None = None) -> Folder:
    make_first_credentials(path, ("gpu.example",), now=now or datetime.now(UTC), days=30)
    return Folder(path)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Credentials of the services below."""
    made = make(tmp_path_factory.mktemp("security") / "credentials")
    _add_former_client(made)
    return made


def _add_former_client(made: Folder) -> None:
    """A certificate of the right authority that has expired."""
    authority = Identity(
        x509.load_pem_x509_certificate(made["ca.crt"].read_bytes()),
        cast(
            ec.EllipticCurvePrivateKey,
            load_pem_private_key(made["ca.key"].read_bytes(), password=None),
        ),
    )
    former = make_client(authority, "former", datetime.now(UTC) - timedelta(days=30), days=29)
    made["former.crt"].write_bytes(former.certificate_pem())
    made["former.key"].touch(mode=0o600)
    made["former.key"].write_bytes(former.key_pem())


@pytest.fixture(scope="session")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Credentials of another authority."""
    return make(tmp_path_factory.mktemp("security") / "strange")


@pytest.fixture(scope="session")
def stale(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Credentials whose certificates have expired; their authority has not."""
    made = datetime.now(UTC).replace(year=datetime.now(UTC).year - 2, day=1)
    return make(tmp_path_factory.mktemp("security") / "stale", now=made)


@dataclass(frozen=True)
class Secured:
    """A running service and its audit log."""

    service: Any
    audit: Path

    @property
    def address(self) -> str:
        return str(self.service.address)


@pytest.fixture(scope="session")
def token_service(
    start_session_service: Any, folder: Folder, tmp_path_factory: pytest.TempPathFactory
) -> Secured:
    """On all addresses, with TLS and tokens, reflection too."""
    audit = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    settings = {
        "host": "0.0.0.0",  # noqa: S104 - that is what TLS and tokens are for
        "tokens": str(folder["tokens.json"]),
        "audit_log": str(audit),
        "reflection": True,
    }
    service = start_session_service(folder.tls | settings)
    service.address = service.address.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    return Secured(service, audit)


@pytest.fixture(scope="session")
def mutual_service(
    start_session_service: Any, folder: Folder, tmp_path_factory: pytest.TempPathFactory
) -> Secured:
    """With mutual TLS, without tokens, on an address that its certificate does not name too."""
    audit = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    settings = {"tls_client_ca": str(folder["ca.crt"]), "audit_log": str(audit)}
    return Secured(start_session_service(folder.tls | settings), audit)
