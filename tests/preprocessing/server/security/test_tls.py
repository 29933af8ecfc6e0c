"""Nobody listens in, and neither side talks to a stranger."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from osteoserve_client.errors import (
    ServiceNotTrustedError,
    ServiceRefusedError,
    ServiceUnavailableError,
    UsageError,
)
from osteoserve_client.service import Credentials, ServiceClient
from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.security.tls import TlsFiles, server_credentials
from osteoserve_preprocessing.server.security.tokens import new_token
from osteoserve_preprocessing.server.settings import Settings
from osteoserve_preprocessing.v1 import preprocessing_pb2_grpc

COMMAND = (sys.executable, "-m", "osteoserve_client")
OPEN = "0.0.0.0"  # noqa: S104 - what TLS and known clients are for


def refusal(address: str, credentials: Credentials | None) -> str:
    """The one line with which a client that does not get through ends."""
    with (
        ServiceClient(address, credentials=credentials, retry_delays_s=()) as client,
        pytest.raises(ServiceNotTrustedError) as caught,
    ):
        client.models()
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)
    return str(caught.value)


def models(*options: str | Path) -> tuple[int, str]:
    """Exit code and standard error of `osteoserve models`."""
    ended = subprocess.run(
        [*COMMAND, "models", *map(str, options)], capture_output=True, text=True, timeout=60
    )
    assert len(ended.stderr.splitlines()) == (ended.returncode != 0)
    return ended.returncode, ended.stderr


def test_over_tls_the_labels_are_the_same(
    token_service: Any, mutual_service: Any, client: ServiceClient, folder: Any, volume: Any
) -> None:
    expected, _ = client.segment(volume, model="edges")
    for secured, credentials in (
        (token_service, folder.with_token),
        (mutual_service, folder.with_certificate),
    ):
        with ServiceClient(secured.address, credentials=credentials) as other:
            other.wait_ready(10)
            labels, _ = other.segment(volume, model="edges")
        assert np.array_equal(labels, expected)


def test_the_log_names_the_subject_of_the_certificate(mutual_service: Any, folder: Any) -> None:
    with ServiceClient(mutual_service.address, credentials=folder.with_certificate) as client:
        client.models()
    assert "client='CN=client'" in mutual_service.service.log
    assert '"client": "CN=client"' in mutual_service.audit.read_text()


def test_a_service_of_another_authority_is_not_talked_to(
    token_service: Any, folder: Any, strange: Any
) -> None:
    said = refusal(token_service.address, Credentials(ca=strange["ca.crt"], token=folder.token))
    assert "its certificate is not trusted" in said


def test_a_service_by_a_name_that_is_not_its_own_is_not_talked_to(
    token_service: Any, folder: Any
) -> None:
    elsewhere = token_service.address.replace("127.0.0.1", "127.0.0.2")
    assert "127.0.0.2" in refusal(elsewhere, folder.with_token)


def test_a_service_whose_certificate_has_expired_is_not_talked_to(stale: Any) -> None:
    key, certificate = stale["server.key"].read_bytes(), stale["server.crt"].read_bytes()
    server = grpc.server(ThreadPoolExecutor(1))
    preprocessing_pb2_grpc.add_PreprocessingServiceServicer_to_server(
        preprocessing_pb2_grpc.PreprocessingServiceServicer(), server
    )
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(((key, certificate),)))
    server.start()
    said = refusal(f"127.0.0.1:{port}", Credentials(ca=stale["ca.crt"]))
    server.stop(None).wait()
    assert "expired" in said


def test_a_client_that_knows_nothing_of_tls_is_told(token_service: Any) -> None:
    assert "--tls-ca" in refusal(token_service.address, None)


def test_a_client_that_expects_tls_does_not_go_without(service: Any, folder: Any) -> None:
    assert "does not speak TLS" in refusal(service.address, folder.with_token)


def test_a_client_without_a_certificate_is_turned_away(mutual_service: Any, folder: Any) -> None:
    said = refusal(mutual_service.address, Credentials(ca=folder["ca.crt"]))
    assert "asks for a client's certificate" in said


@pytest.mark.parametrize("whose", ["of another authority", "of a server", "that has expired"])
def test_a_client_with_another_certificate_is_turned_away(
    mutual_service: Any, folder: Any, strange: Any, whose: str
) -> None:
    certificate, key = {
        "of another authority": (strange["client.crt"], strange["client.key"]),
        "of a server": (folder["server.crt"], folder["server.key"]),
        "that has expired": (folder["former.crt"], folder["former.key"]),
    }[whose]
    said = refusal(
        mutual_service.address, Credentials(ca=folder["ca.crt"], certificate=certificate, key=key)
    )
    assert "does not accept the client's certificate" in said


def test_with_mutual_tls_and_tokens_a_call_needs_both(
    start_session_service: Any, folder: Any
) -> None:
    known = {"tls_client_ca": str(folder["ca.crt"]), "tokens": str(folder["tokens.json"])}
    address = start_session_service(folder.tls | known).address
    assert "asks for a client's certificate" in refusal(address, folder.with_token)
    with (
        ServiceClient(address, credentials=folder.with_certificate) as client,
        pytest.raises(ServiceRefusedError, match="asks for a token"),
    ):
        client.models()
    both = replace(folder.with_certificate, token=folder.token)
    with ServiceClient(address, credentials=both) as client:
        assert client.models()


def test_where_nobody_listens_that_is_said(folder: Any) -> None:
    with (
        ServiceClient("127.0.0.1:1", credentials=folder.with_token, retry_delays_s=()) as client,
        pytest.raises(ServiceUnavailableError, match="no service answers") as caught,
    ):
        client.models()
    assert type(caught.value) is ServiceUnavailableError


def test_the_command_says_in_one_line_what_is_wrong(
    token_service: Any, mutual_service: Any, folder: Any, strange: Any, tmp_path: Path
) -> None:
    server, ca = ("--server", token_service.address), ("--tls-ca", folder["ca.crt"])
    token = ("--token-file", folder["client.token"])
    assert models(*server, *ca, *token) == (0, "")
    code, said = models(*server, "--tls-ca", strange["ca.crt"], *token)
    assert (code, "not trusted" in said) == (4, True)
    code, said = models(*server, *ca)
    assert (code, "asks for a token" in said) == (5, True)
    stolen = tmp_path / "token"
    stolen.write_text(folder.token)
    stolen.chmod(0o644)
    code, said = models(*server, *ca, "--token-file", stolen)
    assert (code, "open to others" in said) == (2, True)
    assert folder.token not in said
    code, said = models(*ca)
    assert (code, "--server" in said) == (2, True)
    code, said = models("--server", mutual_service.address, *ca, "--tls-key", folder["client.key"])
    assert (code, "certificate and key" in said) == (2, True)
    own = ("--tls-certificate", folder["client.crt"], "--tls-key", folder["client.key"])
    assert models("--server", mutual_service.address, *ca, *own) == (0, "")


def test_the_environment_says_it_too(
    token_service: Any, folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSTEOSERVE_SERVER", token_service.address)
    monkeypatch.setenv("OSTEOSERVE_TLS_CA", str(folder["ca.crt"]))
    assert models()[0] == 5
    monkeypatch.setenv("OSTEOSERVE_TOKEN_FILE", str(folder["client.token"]))
    assert models() == (0, "")


def test_a_token_does_not_travel_unencrypted() -> None:
    token, _ = new_token("far", ["models"])
    with pytest.raises(UsageError, match="without TLS") as caught:
        ServiceClient("gpu.example:8471", credentials=Credentials(token=token))
    assert token not in f"{caught.value} {Credentials(token=token)!r}"


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ((), False),
        (("tokens",), False),
        (("tls",), False),
        (("tls", "tokens"), True),
        (("tls", "tls_client_ca"), True),
        (("tls", "tls_client_ca", "tokens"), True),
    ],
)
def test_other_machines_need_tls_and_known_clients(given: tuple[str, ...], allowed: bool) -> None:
    some, files = Path("file"), {name: Path("file") for name in given if name != "tls"}
    if "tls" in given:
        files |= {"tls_certificate": some, "tls_key": some}
    if allowed:
        assert Settings(host=OPEN, **files).host == OPEN
    else:
        with pytest.raises(OptionError, match="not loopback"):
            Settings(host=OPEN, **files)


@pytest.mark.parametrize("given", ["tls_certificate", "tls_key", "tls_client_ca"])
def test_half_of_tls_is_refused(given: str) -> None:
    with pytest.raises(OptionError, match="--tls-certificate, --tls-key"):
        Settings(**{given: Path("file")})


def test_what_the_server_is_given_is_checked_before_it_listens(
    folder: Any, strange: Any, stale: Any, tmp_path: Path
) -> None:
    certificate, key, ca = folder["server.crt"], folder["server.key"], folder["ca.crt"]
    server_credentials(TlsFiles(certificate, key, ca))
    shown = tmp_path / "shown.key"
    shown.write_bytes(key.read_bytes())
    shown.chmod(0o640)
    for files, words in (
        (TlsFiles(certificate, shown), "open to others"),
        (TlsFiles(certificate, strange["server.key"]), "belong together"),
        (TlsFiles(key, key), "belong together"),
        (TlsFiles(tmp_path / "absent", key), "cannot be read"),
        (TlsFiles(certificate, tmp_path / "absent"), "cannot be read"),
        (TlsFiles(certificate, key, folder["tokens.json"]), "holds no certificate"),
        (TlsFiles(stale["server.crt"], stale["server.key"]), "expired on"),
    ):
        with pytest.raises(OptionError, match=words) as caught:
            server_credentials(files)
        assert "\n" not in str(caught.value)


def test_the_command_refuses_a_bad_key_in_one_line(folder: Any, strange: Any, triton: str) -> None:
    files = ("--tls-certificate", folder["server.crt"], "--tls-key", strange["server.key"])
    ended = subprocess.run(
        [*COMMAND, "serve", "--port", "0", "--triton", triton, *files],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1
