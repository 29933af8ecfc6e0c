"""Whoever may not ask the service may not ask for its metrics either."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import pytest

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server import Settings
from tests.preprocessing.server.observability.scrapes import Scrape, metrics_url


def asked(url: str, *, method: str = "GET", context: Any = None, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_token_for_metrics_is_asked_for(guarded: Any, folder: Any) -> None:
    url = metrics_url(guarded.service.log)
    context = ssl.create_default_context(cafile=folder["ca.crt"])

    def status(**headers: str) -> int:
        return asked(url, context=context, **headers)[0]

    assert url.startswith("https://")
    assert status() == 401
    assert status(Authorization="Bearer osteoserve_wrong") == 401
    assert status(Authorization=f"Bearer {folder.token}") == 403
    token = folder.add("prometheus", "metrics")
    code, text = asked(url, context=context, Authorization=f"Bearer {token}")
    assert code == 200
    assert Scrape(text).value("osteoserve_build_info", version="0.1.0") == 1


def test_without_its_authority_nobody_is_answered(guarded: Any) -> None:
    url = metrics_url(guarded.service.log)
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        asked(url)
    with pytest.raises(OSError, match=r"reset|closed|Remote end"):
        asked(url.replace("https", "http"))


def test_a_client_s_certificate_is_asked_for_where_the_service_does(
    start_session_service: Any, folder: Any
) -> None:
    settings = {"tls_client_ca": str(folder["ca.crt"]), "metrics_address": "127.0.0.1:0"}
    url = metrics_url(start_session_service(folder.tls | settings).log)
    context = ssl.create_default_context(cafile=folder["ca.crt"])
    with pytest.raises(OSError, match=r"(?i)certificate|reset|closed"):
        asked(url, context=context)
    context.load_cert_chain(folder["client.crt"], folder["client.key"])
    assert asked(url, context=context)[0] == 200


@pytest.mark.parametrize("given", [{}, {"tokens": "t"}, {"tls_certificate": "c", "tls_key": "k"}])
@pytest.mark.parametrize("address", ["0.0.0.0:9471", "[::]:9471", "gpu.example:9471"])
def test_on_other_addresses_only_with_tls_and_known_clients(given: Any, address: str) -> None:
    with pytest.raises(OptionError, match="is not loopback"):
        Settings(metrics_address=address, **given)
    whole = {"tokens": "t", "tls_certificate": "c", "tls_key": "k"}
    assert Settings(metrics_address=address, **whole).metrics_address == address


@pytest.mark.parametrize("address", ["localhost", ":1", "localhost:x", "localhost:65536", "[::1]"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(OptionError, match="HOST:PORT"):
        Settings(metrics_address=address)


def test_there_is_nothing_else(observed: Any) -> None:
    url = metrics_url(observed.service.log)
    assert asked(f"{url}/../etc/passwd")[0] == 404
    assert asked(url.removesuffix("/metrics") + "/")[0] == 404
    assert asked(url, method="POST")[0] == 405
    assert asked(url, method="HEAD") == (200, "")


def test_those_who_are_silent_or_talk_too_much_block_nobody(observed: Any) -> None:
    url = metrics_url(observed.service.log)
    place = ("127.0.0.1", int(url.split(":")[2].split("/")[0]))
    silent = [socket.create_connection(place) for _ in range(8)]
    with socket.create_connection(place, timeout=20) as endless:
        endless.sendall(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * (64 << 10))
        # It hangs up; what it had not read makes that a reset.
        with contextlib.suppress(ConnectionResetError):
            assert endless.recv(1) == b""
    assert asked(url)[0] == 200
    for each in silent:
        each.close()


def test_there_are_none_unless_asked_for(service: Any) -> None:
    assert "metrics on" not in service.log


def test_a_port_that_is_taken_is_one_line(model_repository: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = ("serve", "--port", "0", "--repository", str(model_repository))
        done = subprocess.run(
            [sys.executable, "-m", "osteoserve_client", *command, "--metrics-address", address],
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        f"metrics: port {address[10:]} on 127.0.0.1 is taken"
    )
