"""Certificates end and are renewed while the service runs; none of its calls may notice."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from osteoserve_client.errors import ServiceNotTrustedError
from osteoserve_client.service import Credentials, ServiceClient

NOT_TAKEN, TAKEN = "renewed TLS files are not taken", "renewed TLS files are in use"


def gets_through(address: str, credentials: Credentials) -> bool:
    """Whether a new connection is trusted by both sides."""
    with ServiceClient(address, credentials=credentials, retry_delays_s=()) as client:
        try:
            return bool(client.models())
        except ServiceNotTrustedError:
            return False


def with_certificate(folder: Any, ca: Any) -> Credentials:
    return Credentials(ca=ca["ca.crt"], certificate=folder["client.crt"], key=folder["client.key"])


@pytest.fixture
def own(tmp_path: Path, folder: Any) -> Path:
    """Files of a service, which the test may replace."""
    for name in ("server.crt", "server.key", "ca.crt"):
        shutil.copy(folder[name], tmp_path / name)
    return tmp_path


def start(start_session_service: Any, own: Path, **more: str) -> Any:
    files = {"tls_certificate": str(own / "server.crt"), "tls_key": str(own / "server.key")}
    return start_session_service(files | more)


def put(source: Path, target: Path) -> None:
    """Replace a file as renewal programs do: in one step."""
    made = shutil.copy(source, target.with_name("new"))
    Path(made).rename(target)


def test_a_renewed_certificate_counts_from_the_next_connection_on(
    start_session_service: Any, own: Path, folder: Any, strange: Any
) -> None:
    service = start(start_session_service, own)
    former, renewed = Credentials(ca=folder["ca.crt"]), Credentials(ca=strange["ca.crt"])
    with ServiceClient(service.address, credentials=former) as held:
        assert held.models()
        put(strange["server.crt"], own / "server.crt")
        for _ in range(3):
            assert gets_through(service.address, former), "its key has not come yet"
        assert service.log.count(NOT_TAKEN) == 1
        put(strange["server.key"], own / "server.key")
        assert gets_through(service.address, renewed)
        assert not gets_through(service.address, former)
        assert service.log.count(TAKEN) == 1
        assert held.models(), "a connection that is open stays so"


def test_renewed_files_that_are_not_sound_leave_the_former_in_use(
    start_session_service: Any, own: Path, folder: Any, strange: Any, stale: Any
) -> None:
    service = start(start_session_service, own)
    former = Credentials(ca=folder["ca.crt"])

    def rubbish() -> None:
        (own / "server.crt").write_bytes(b"-----BEGIN CERTIFICATE-----\nrubbish")

    def nothing() -> None:
        (own / "server.crt").unlink()

    def open_to_others() -> None:
        put(strange["server.crt"], own / "server.crt")
        put(strange["server.key"], own / "server.key")
        (own / "server.key").chmod(0o644)

    def expired() -> None:
        put(stale["server.crt"], own / "server.crt")
        put(stale["server.key"], own / "server.key")

    for number, spoil in enumerate((rubbish, nothing, open_to_others, expired), start=1):
        spoil()
        assert gets_through(service.address, former), spoil.__name__
        assert gets_through(service.address, former), spoil.__name__
        assert service.log.count(NOT_TAKEN) == number, spoil.__name__
    assert all("Traceback" not in line for line in service.log.splitlines())
    put(folder["server.crt"], own / "server.crt")
    put(folder["server.key"], own / "server.key")
    assert gets_through(service.address, former)


def test_a_renewed_client_authority_counts_too(
    start_session_service: Any, own: Path, folder: Any, strange: Any
) -> None:
    service = start(start_session_service, own, tls_client_ca=str(own / "ca.crt"))
    former, renewed = with_certificate(folder, folder), with_certificate(strange, folder)
    assert gets_through(service.address, former)
    assert not gets_through(service.address, renewed)
    put(folder["tokens.json"], own / "ca.crt")
    assert gets_through(service.address, former), "what is no certificate is not taken"
    put(strange["ca.crt"], own / "ca.crt")
    assert gets_through(service.address, renewed)
    assert not gets_through(service.address, former)
    assert not gets_through(service.address, Credentials(ca=folder["ca.crt"]))
