"""No method of any service answers a caller without a token that is good for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from osteoserve_client.errors import ServiceRefusedError, ServiceUnavailableError
from osteoserve_client.service import Credentials, ServiceClient
from osteoserve_preprocessing.server.security.guard import SCOPE_OF
from osteoserve_preprocessing.server.security.token_changes import remove_token
from osteoserve_preprocessing.server.security.tokens import SCOPES
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb

SERVICES = [
    service
    for file in (pb.DESCRIPTOR, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)
    for service in file.services_by_name.values()
]
METHODS = [
    f"/{service.full_name}/{method.name}" for service in SERVICES for method in service.methods
]
STRANGERS = (StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED)


@pytest.fixture
def channel(token_service: Any, folder: Any) -> Iterator[grpc.Channel]:
    trusted = grpc.ssl_channel_credentials(folder["ca.crt"].read_bytes())
    with grpc.secure_channel(token_service.address, trusted) as opened:
        yield opened


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def outcome(
    channel: grpc.Channel, method: str, metadata: Any, messages: Any = (b"",)
) -> tuple[StatusCode, str]:
    """How a call ends; OK where it begins to answer."""
    call = channel.stream_stream(method)(iter(messages), metadata=metadata, timeout=20)
    try:
        next(call, None)
    except grpc.RpcError as error:
        return error.code(), error.details()
    call.cancel()
    return StatusCode.OK, ""


def test_every_method_is_known_to_the_guard() -> None:
    assert set(METHODS) == set(SCOPE_OF)
    assert {*SCOPE_OF.values(), "metrics"} == set(SCOPES)


def test_the_service_has_no_other_methods(channel: grpc.Channel, folder: Any) -> None:
    token = folder.add("reflecting", "reflection")
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = channel.stream_stream(
        f"/{SERVICES[-1].full_name}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )(iter([question]), metadata=bearer(token), timeout=5)
    listed = {service.name for service in answer.list_services_response.service}
    assert listed | {SERVICES[-1].full_name} == {service.full_name for service in SERVICES}


@pytest.mark.parametrize("method", METHODS)
def test_without_its_token_a_method_is_refused(
    channel: grpc.Channel, folder: Any, method: str
) -> None:
    good = folder.token
    for metadata in (
        (),
        bearer(""),
        bearer("osteoserve_" + 43 * "A"),
        bearer(good[:-1]),
        bearer(good + "A"),
        bearer(good) + bearer(good),
        (("authorization", good),),
        (("authorization", f"Basic {good}"),),
        (("x-authorization", f"Bearer {good}"),),
    ):
        code, details = outcome(channel, method, metadata)
        assert code is StatusCode.UNAUTHENTICATED, metadata
        assert details.count("\n") == 0 < len(details)
        assert good not in details


@pytest.mark.parametrize("method", METHODS)
def test_a_token_without_the_scope_is_refused_and_one_with_it_is_not(
    channel: grpc.Channel, folder: Any, method: str
) -> None:
    name, scope = method.rpartition("/")[2], SCOPE_OF[method]
    lacking = folder.add(f"{name}.lacking", *(other for other in SCOPES if other != scope))
    code, details = outcome(channel, method, bearer(lacking))
    assert (code, details) == (
        StatusCode.PERMISSION_DENIED,
        f"the token lacks the scope {scope}",
    )
    bare = folder.add(f"{name}.bare", scope)
    assert outcome(channel, method, bearer(bare))[0] not in STRANGERS


@pytest.mark.parametrize("method", METHODS)
def test_an_expired_token_is_refused(channel: grpc.Channel, folder: Any, method: str) -> None:
    now = datetime.now(UTC)
    name = method.rpartition("/")[2]
    over = folder.add(f"{name}.over", *SCOPES, expires=now - timedelta(seconds=1))
    assert outcome(channel, method, bearer(over)) == (
        StatusCode.UNAUTHENTICATED,
        "the token has expired",
    )
    valid = folder.add(f"{name}.valid", *SCOPES, expires=now + timedelta(hours=1))
    assert outcome(channel, method, bearer(valid))[0] not in STRANGERS


def test_a_method_that_is_none_is_refused_to_everybody(channel: grpc.Channel, folder: Any) -> None:
    assert outcome(channel, "/a.B/C", ())[0] is StatusCode.UNAUTHENTICATED
    token = folder.add("everything", *SCOPES)
    assert outcome(channel, "/a.B/C", bearer(token))[0] is StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("method", METHODS)
def test_a_stranger_is_refused_before_a_message_is_read(channel: grpc.Channel, method: str) -> None:
    done = threading.Event()

    def silent() -> Iterator[bytes]:
        done.wait(30)
        yield b""

    began = monotonic()
    try:
        assert outcome(channel, method, (), silent())[0] is StatusCode.UNAUTHENTICATED
    finally:
        done.set()
    assert monotonic() - began < 5


def test_tokens_come_and_go_while_the_service_runs(token_service: Any, folder: Any) -> None:
    token = folder.add("guest", "models")
    credentials = Credentials(ca=folder["ca.crt"], token=token)
    with ServiceClient(token_service.address, credentials=credentials) as client:
        assert client.models()
        remove_token(folder["tokens.json"], "guest")
        with pytest.raises(ServiceRefusedError, match="none of this service's"):
            client.models()


def test_nobody_is_let_in_while_the_tokens_are_open_to_others(
    token_service: Any, folder: Any
) -> None:
    path = folder["tokens.json"]
    with ServiceClient(
        token_service.address, credentials=folder.with_token, retry_delays_s=()
    ) as client:
        path.chmod(0o644)
        try:
            with pytest.raises(ServiceUnavailableError, match="cannot read its tokens"):
                client.models()
        finally:
            path.chmod(0o600)
        assert client.models()


def test_the_log_names_the_client_and_never_the_token(
    token_service: Any, folder: Any, volume: Any
) -> None:
    with ServiceClient(token_service.address, credentials=folder.with_token) as client:
        client.segment(volume, model="edges")
    (*_, line) = token_service.service.calls()
    short = Credentials(ca=folder["ca.crt"], token=folder.token[:-1])
    with (
        ServiceClient(token_service.address, credentials=short) as client,
        pytest.raises(ServiceRefusedError),
    ):
        client.models()
    assert "client='client'" in line
    assert "outcome=OK" in line
    log = token_service.service.log + token_service.audit.read_text()
    assert "outcome=UNAUTHENTICATED" in log
    assert folder.token[:-1] not in log
    assert folder.token.removeprefix("osteoserve_")[:-1] not in log


def test_a_client_that_is_not_let_in_does_not_wait_to_be(token_service: Any, folder: Any) -> None:
    credentials = Credentials(ca=folder["ca.crt"], token=folder.add("hasty", "models"))
    began = monotonic()
    with (
        ServiceClient(token_service.address, credentials=credentials) as client,
        pytest.raises(ServiceRefusedError, match="lacks the scope health"),
    ):
        client.wait_ready(60)
    assert monotonic() - began < 10


def test_tokens_work_on_loopback_without_tls(start_session_service: Any, folder: Any) -> None:
    service = start_session_service({"tokens": str(folder["tokens.json"])})
    with (
        ServiceClient(service.address) as client,
        pytest.raises(ServiceRefusedError, match="token"),
    ):
        client.models()
    with ServiceClient(service.address, credentials=Credentials(token=folder.token)) as client:
        client.wait_ready(10)
        assert client.models()
