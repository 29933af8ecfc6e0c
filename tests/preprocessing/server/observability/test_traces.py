"""A call is one span of the caller's trace, its stages are its children, Triton is asked within."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import pytest

from osteoserve_client.local_service import LocalService
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server import Settings
from osteoserve_preprocessing.server.observability.spans import UNTRACED
from osteoserve_preprocessing.server.observability.traces import ENDPOINTS, tracing
from osteoserve_preprocessing.server.records import CallRecord, utc_now
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import frames, geometry_to_message
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import PreprocessingServiceStub
from osteoserve_preprocessing.v1.request_ids import REQUEST_ID, new_request_id

RUNNER = Path(__file__).parents[1] / "run_service.py"
ATTRIBUTES = {
    "rpc.system",
    "rpc.service",
    "rpc.method",
    "rpc.grpc.status_code",
    "osteoserve.request_id",
    "osteoserve.model",
    "osteoserve.received_bytes",
}


def messages(volume: Any, model: str) -> Any:
    head = pb.VolumeHeader(
        geometry=geometry_to_message(volume.geometry),
        element_type=pb.ELEMENT_TYPE_INT16,
        modality=pb.MODALITY_CT,
    )
    yield pb.SegmentRequest(header=pb.SegmentHeader(volume=head, model=model))
    for frame in frames(volume.voxels):
        yield (
            pb.SegmentRequest(chunk=frame)
            if isinstance(frame, bytes)
            else pb.SegmentRequest(trailer=frame)
        )


class Caller:
    """Somebody with a trace of his own."""

    def __init__(self) -> None:
        self.trace, self.span = secrets.token_hex(16), secrets.token_hex(8)
        self.request_id = new_request_id()
        self.metadata = (
            (REQUEST_ID, self.request_id),
            ("traceparent", f"00-{self.trace}-{self.span}-01"),
            ("tracestate", "patient=Mustermann"),
        )


def attributes(span: Any) -> dict[str, Any]:
    kinds = ("string_value", "int_value")
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value"))
        for each in span.attributes
        if each.value.WhichOneof("value") in kinds
    }


def spans_of(found: list[Any]) -> tuple[Any, list[Any]]:
    (own,) = (span for span in found if span.name.endswith("PreprocessingService/Segment"))
    stages = sorted((span for span in found if span is not own), key=starts)
    return own, stages


def starts(span: Any) -> int:
    return int(span.start_time_unix_nano)


def ends(span: Any) -> int:
    return int(span.end_time_unix_nano)


def test_a_call_is_a_span_with_its_stages(
    traced: Any, collector: Any, recorder: Any, volume: Any
) -> None:
    caller = Caller()
    with grpc.insecure_channel(traced.address) as channel:
        segment = PreprocessingServiceStub(channel).Segment
        assert list(segment(messages(volume, "edges"), metadata=caller.metadata, timeout=60))
    own, stages = spans_of(collector[1].trace(caller.trace))
    assert own.parent_span_id.hex() == caller.span
    assert set(attributes(own)) == ATTRIBUTES
    said = attributes(own)
    assert (said["rpc.method"], said["rpc.grpc.status_code"]) == ("Segment", 0)
    assert (said["osteoserve.request_id"], said["osteoserve.model"]) == (
        caller.request_id,
        "edges",
    )
    assert said["osteoserve.received_bytes"] == volume.voxels.nbytes
    names = ["queue", "receive", "orient", "preprocess", "inference", "assemble", "measure", "send"]
    assert [span.name for span in stages] == names
    assert {span.parent_span_id for span in stages} == {own.span_id}
    assert starts(own) == starts(stages[0])
    assert ends(stages[-1]) <= ends(own)
    for one, next_one in pairwise(stages):
        assert abs(ends(one) - starts(next_one)) <= 1000, "a gap, or an overlap"
    asked = [
        headers for request_id, headers in recorder[1].inferences if request_id == caller.request_id
    ]
    assert asked
    for headers in asked:
        assert headers["traceparent"] == f"00-{caller.trace}-{own.span_id.hex()}-01"
        assert "tracestate" not in headers


def test_one_that_fails_says_so_and_no_more(traced: Any, collector: Any, volume: Any) -> None:
    caller = Caller()
    with grpc.insecure_channel(traced.address) as channel:
        segment = PreprocessingServiceStub(channel).Segment
        with pytest.raises(grpc.RpcError):
            list(segment(messages(volume, "Mustermann"), metadata=caller.metadata, timeout=60))
    own, stages = spans_of(collector[1].trace(caller.trace))
    assert attributes(own)["rpc.grpc.status_code"] == grpc.StatusCode.NOT_FOUND.value[0]
    assert [span.name for span in stages] == ["queue"]
    assert b"Mustermann" not in b"".join(span.SerializeToString() for span in (own, *stages))


def test_a_call_without_a_trace_begins_one(traced: Any, collector: Any, eventually: Any) -> None:
    request_id = new_request_id()
    with grpc.insecure_channel(traced.address) as channel:
        stub = PreprocessingServiceStub(channel)
        stub.ListModels(pb.ListModelsRequest(), metadata=((REQUEST_ID, request_id),), timeout=20)

    def found() -> list[Any]:
        every = list(collector[1].spans)
        return [s for s in every if attributes(s).get("osteoserve.request_id") == request_id]

    (own,) = eventually(found)
    assert own.parent_span_id == b""
    (resource,) = {tuple(sorted(each.items())) for each in collector[1].resources}
    assert dict(resource)["service.name"] == "osteoserve"
    # What it runs on is nobody's business.
    assert not any(re.search("host|process|user", key) for key in dict(resource))


def test_without_tracing_what_came_goes_on(
    start_session_service: Any, recorder: Any, collector: Any, volume: Any
) -> None:
    caller = Caller()
    service = start_session_service({"triton": recorder[0]})
    with grpc.insecure_channel(service.address) as channel:
        segment = PreprocessingServiceStub(channel).Segment
        list(segment(messages(volume, "edges"), metadata=caller.metadata, timeout=60))
    asked = [
        headers for request_id, headers in recorder[1].inferences if request_id == caller.request_id
    ]
    assert {headers["traceparent"] for headers in asked} == {dict(caller.metadata)["traceparent"]}
    assert not [span for span in collector[1].spans if span.trace_id.hex() == caller.trace]


async def test_nothing_is_made_unless_configured() -> None:
    async with tracing(None, {}) as traces:
        assert traces is UNTRACED


@pytest.mark.parametrize("variable", ENDPOINTS)
async def test_the_standard_s_variables_turn_it_on(
    collector: Any, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, collector[0])
    caller, began = Caller(), utc_now()
    async with tracing(None) as traces:
        span = traces.begin("GetModel", dict(caller.metadata)["traceparent"], began)
        span.end(CallRecord(method="GetModel", outcome="OK", client="", began=began, seconds=0.1))
    # What had not been sent is, before the service ends.
    (sent,) = (each for each in collector[1].spans if each.trace_id.hex() == caller.trace)
    assert ends(sent) - starts(sent) == pytest.approx(1e8, abs=2000)


@pytest.mark.parametrize("endpoint", ["localhost:4317", "grpc://localhost:4317", "file:///x"])
def test_what_is_no_collector_is_refused(endpoint: str) -> None:
    with pytest.raises(OptionError, match="collector of traces"):
        Settings(traces_endpoint=endpoint)


def test_a_collector_that_is_gone_harms_no_call_and_delays_no_end(
    triton: str, volume: Any, tmp_path: Path
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        settings = json.dumps({"triton": triton, "traces_endpoint": endpoint})
        command = (sys.executable, str(RUNNER), settings)
        with LocalService(log=tmp_path / "log", command=command) as local:
            with ServiceClient(local.address) as client:
                client.segment(volume, model="edges")
            began = monotonic()
        assert monotonic() - began < 30
    log = (tmp_path / "log").read_text()
    assert "outcome=OK" in log
    assert "traces" in log, "that they are lost is said"


ABSENT = """
import sys
sys.modules["opentelemetry.exporter"] = None
from osteoserve_client.cli import main
sys.argv = ["osteoserve", "serve", "--port", "0", "--traces-endpoint", "http://localhost:4317"]
main()
"""


def test_where_it_is_not_installed_one_line_says_what_is_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ABSENT],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines() == [
        "osteoserve: traces need opentelemetry.exporter.otlp, which is not installed: "
        "pip install 'osteoserve[tracing]'"
    ]
