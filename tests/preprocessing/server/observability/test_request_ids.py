"""One id, from the client to Triton and back, and nobody's number in its place."""

from __future__ import annotations

import re
import uuid
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osteoserve_client.errors import ServiceRefusedError
from osteoserve_client.service import Credentials, ServiceClient
from osteoserve_preprocessing.server.observability.origins import origin_of
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import PreprocessingServiceStub
from osteoserve_preprocessing.v1.request_ids import REQUEST_ID, new_request_id, well_formed

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_the_report_s_id_is_in_both_logs(observed: Any, volume: Any) -> None:
    with ServiceClient(observed.address) as client:
        _, report = client.segment(volume, model="edges")
    assert well_formed(report.request_id)
    (audited,) = (line for line in observed.audited() if line["id"] == report.request_id)
    assert audited["outcome"] == "OK"
    (logged,) = (line for line in observed.lines() if line.get("call") and is_of(line, report))
    assert logged["stages"] == audited["stages_s"]


def is_of(line: dict[str, Any], report: Any) -> bool:
    return bool(line.get("id") == report.request_id)


def test_triton_is_asked_by_the_same_id(traced: Any, recorder: Any, volume: Any) -> None:
    with ServiceClient(traced.address) as client:
        _, report = client.segment(volume, model="edges")
    ids = [request_id for request_id, _ in recorder[1].inferences]
    # Canaries are nobody's.
    assert set(ids) >= {report.request_id, ""}
    assert ids.count(report.request_id) == -(-volume.geometry.shape[0] // 8)


def test_a_refusal_tells_the_id_that_the_logs_have(observed: Any, volume: Any) -> None:
    with (
        ServiceClient(observed.address) as client,
        pytest.raises(ServiceRefusedError) as caught,
    ):
        client.segment(volume, model="absent")
    request_id = caught.value.request_id
    assert f"(request {request_id})" in str(caught.value)
    assert observed.audited()[-1]["id"] == request_id


def test_so_does_the_refusal_of_a_stranger(guarded: Any, folder: Any, volume: Any) -> None:
    with (
        ServiceClient(guarded.address, credentials=Credentials(ca=folder["ca.crt"])) as client,
        pytest.raises(ServiceRefusedError) as caught,
    ):
        client.segment(volume, model="edges")
    assert caught.value.request_id
    assert caught.value.request_id in guarded.audit.read_text()


@pytest.mark.parametrize("stated", [new_request_id(), str(uuid.uuid4())], ids=["ours", "dashed"])
def test_a_caller_s_own_id_is_kept(observed: Any, stated: str) -> None:
    assert answered_id(observed, (REQUEST_ID, stated)) == stated


@pytest.mark.parametrize(
    "stated",
    [
        "",
        "Mustermann^Max",
        "19700101",
        "12345678" * 5,
        "A" * 32,
        "0" * 33,
        pytest.param(f"{uuid.uuid4()}x", id="one letter more"),
    ],
)
def test_one_that_could_be_somebody_s_number_is_not(observed: Any, stated: str) -> None:
    made = answered_id(observed, (REQUEST_ID, stated))
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert made != stated
    assert not stated.strip() or stated not in observed.service.log


def test_two_ids_are_none(observed: Any) -> None:
    first, second = new_request_id(), new_request_id()
    assert answered_id(observed, (REQUEST_ID, first), (REQUEST_ID, second)) not in (first, second)


def answered_id(observed: Any, *metadata: tuple[str, str]) -> str:
    with grpc.insecure_channel(observed.address) as channel:
        stub = PreprocessingServiceStub(channel)
        _, call = stub.ListModels.with_call(pb.ListModelsRequest(), metadata=metadata, timeout=20)
    answer = dict(call.trailing_metadata())[REQUEST_ID]
    assert observed.audited()[-1]["id"] == answer
    return str(answer)


@settings(deadline=None)
@given(st.text() | st.from_regex(r"[0-9a-f-]{1,70}", fullmatch=True))
def test_whatever_is_stated_an_id_is_well_formed(stated: str) -> None:
    origin = origin_of([(REQUEST_ID, stated), ("traceparent", stated)])
    assert well_formed(origin.request_id)
    assert origin.traceparent == ""


@pytest.mark.parametrize(
    ("stated", "taken"),
    [
        (TRACEPARENT, TRACEPARENT),
        (TRACEPARENT.upper(), ""),
        ("ff" + TRACEPARENT[2:], ""),
        (TRACEPARENT.replace("b7ad6b7169203331", "0" * 16), ""),
        (TRACEPARENT.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32), ""),
        (TRACEPARENT + "-Mustermann", ""),
    ],
)
def test_of_a_trace_only_what_the_standard_allows_is_taken(stated: str, taken: str) -> None:
    assert origin_of([("traceparent", stated), ("tracestate", "m=x")]).traceparent == taken
