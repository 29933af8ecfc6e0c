"""The doctor on a service with TLS, tokens or mutual TLS: what it says is what a client meets."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from osteoserve_preprocessing.server import Settings
from osteoserve_preprocessing.server.doctor import Finding, State, network
from osteoserve_preprocessing.server.security.token_changes import add_token
from osteoserve_preprocessing.server.security.tokens import new_token
from tests.preprocessing.server.test_doctor import examined


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def port(service: Any, **settings: Any) -> Finding:
    return network.port(Settings(port=port_of(service.address), **settings))


def tls(folder: Any) -> dict[str, Path]:
    return {"tls_certificate": folder["server.crt"], "tls_key": folder["server.key"]}


def expiry(folder: Any) -> str:
    certificate = x509.load_pem_x509_certificate(folder["server.crt"].read_bytes())
    return f"{certificate.not_valid_after_utc:%Y-%m-%d}"


def test_a_service_with_tls_and_tokens_is_known_for_one(token_service: Any, folder: Any) -> None:
    finding = port(token_service, **tls(folder), tokens=folder["tokens.json"])
    # The certificate of these tests is valid for 30 days.
    assert finding.state is State.NOTE
    assert "asks for a token, with TLS" in finding.detail
    assert f"valid until {expiry(folder)}" in finding.detail
    assert "new one" in finding.remedy


def test_a_service_with_mutual_tls_is_known_for_one(mutual_service: Any, folder: Any) -> None:
    finding = port(mutual_service, **tls(folder))
    assert "asks for a client's certificate, with TLS" in finding.detail
    assert finding.state is State.NOTE


@pytest.fixture(scope="module")
def tls_service(start_session_service: Any, folder: Any) -> Any:
    """With TLS alone: whoever trusts the authority may ask."""
    return start_session_service(folder.tls)


def test_a_service_with_tls_alone_is_asked_for_its_health(tls_service: Any, folder: Any) -> None:
    assert "is SERVING there, with TLS" in port(tls_service, **tls(folder)).detail
    # Not configured here: found none the less.
    assert "is SERVING there, with TLS" in port(tls_service).detail


def test_a_token_without_tls_is_asked_for_on_loopback(
    start_session_service: Any, folder: Any
) -> None:
    service = start_session_service({"tokens": str(folder["tokens.json"])})
    finding = port(service)
    assert (finding.state, finding.remedy) == (State.OK, "")
    assert finding.detail == "a service is there, which asks for a token"


def test_a_certificate_that_was_replaced_and_not_taken_is_noted(
    token_service: Any, strange: Any
) -> None:
    finding = port(token_service, **tls(strange))
    assert finding.state is State.NOTE
    assert f"is not that of {strange['server.crt']}" in finding.detail
    assert "see in the log of the service why it does not take it" in finding.remedy


def test_a_certificate_that_expired_while_it_was_served_is_broken(stale: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(stale["server.crt"], stale["server.key"])
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            plain, _ = listening.accept()
            # Whoever only looks at the certificate hangs up.
            with suppress(OSError), context.wrap_socket(plain, server_side=True) as secured:
                secured.sendall(b"x")

        server = threading.Thread(target=greet)
        server.start()
        finding = network.port(Settings(port=listening.getsockname()[1]))
        server.join(10)
    assert finding.state is State.BROKEN
    assert f"expired on {expiry(stale)}" in finding.detail


def test_a_service_without_tls_is_not_what_the_settings_say(service: Any, folder: Any) -> None:
    finding = port(service, **tls(folder))
    assert finding.state is State.NOTE
    assert "without TLS" in finding.detail


def test_an_address_that_is_not_this_machines_is_broken(folder: Any) -> None:
    finding = network.port(
        Settings(host="192.0.2.1", port=0, **tls(folder), tokens=folder["tokens.json"])
    )
    assert finding.state is State.BROKEN
    assert "--host" in finding.remedy


def test_the_command_checks_files_as_serve_would(
    token_service: Any, folder: Any, triton: str, model_repository: Path, tmp_path: Path
) -> None:
    audit = tmp_path / "audit.jsonl"
    code, findings = examined(
        *("--port", str(port_of(token_service.address)), "--triton", triton),
        *("--repository", str(model_repository), "--audit-log", str(audit)),
        *("--tls-certificate", str(folder["server.crt"]), "--tls-key", str(folder["server.key"])),
        *("--tls-client-ca", str(folder["ca.crt"]), "--tokens", str(folder["tokens.json"])),
    )
    assert code == 0
    assert expiry(folder) in findings[f"TLS certificate {folder['server.crt']}"].detail
    assert findings[f"tokens {folder['tokens.json']}"].state is State.OK
    assert findings[f"audit log {audit}"].state is State.OK
    assert not audit.exists()


def test_files_that_serve_would_refuse_are_broken(
    folder: Any, strange: Any, stale: Any, tmp_path: Path
) -> None:
    """In serve's own words."""

    def said(certificate: Path, key: Path, ca: Path | None = None) -> str:
        (finding,) = network.tls(
            Settings(tls_certificate=certificate, tls_key=key, tls_client_ca=ca)
        )
        assert finding.state is State.BROKEN
        assert finding.remedy
        return finding.detail

    assert "belong together" in said(folder["server.crt"], strange["server.key"])
    assert "expired on" in said(stale["server.crt"], stale["server.key"])
    open_key = tmp_path / "open.key"
    open_key.write_bytes(folder["server.key"].read_bytes())
    open_key.chmod(0o644)
    assert "open to others" in said(folder["server.crt"], open_key)
    assert "no certificate" in said(folder["server.crt"], folder["server.key"], open_key)
    assert "cannot be read" in said(tmp_path / "absent", folder["server.key"])


def test_tokens_that_let_nobody_in_are_named(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    settings = Settings(tokens=path)
    assert network.tokens(settings)[0].state is State.BROKEN
    past = datetime.now(UTC) - timedelta(days=1)
    add_token(path, new_token("former", ["segment"], expires=past)[1])
    (finding,) = network.tokens(settings)
    assert (finding.state, finding.detail) == (State.NOTE, "holds no token that is valid now")
    add_token(path, new_token("current", ["segment"])[1])
    (finding,) = network.tokens(settings)
    assert (finding.state, finding.detail) == (State.NOTE, "1 valid; expired: former")


def test_an_audit_log_that_cannot_be_is_broken(tmp_path: Path) -> None:
    for path in (tmp_path / "absent" / "audit.jsonl", tmp_path):
        assert network.audit_log(Settings(audit_log=path))[0].state is State.BROKEN


def test_no_secret_is_in_the_report(folder: Any, triton: str, model_repository: Path) -> None:
    from click.testing import CliRunner

    from osteoserve_preprocessing.server.cli import doctor

    words = ["--port", "0", "--triton", triton, "--repository", str(model_repository), "--json"]
    words += ["--tokens", str(folder["tokens.json"])]
    said = CliRunner().invoke(doctor, words).output
    assert json.loads(said)["settings"]
    kept = json.loads(folder["tokens.json"].read_text())["tokens"]
    assert not any(entry["sha256"] in said or entry["salt"] in said for entry in kept)
