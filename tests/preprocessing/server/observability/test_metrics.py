"""The numbers are those of what was done, and name nothing that a caller typed."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from osteoserve_client.errors import ServiceBusyError, ServiceRefusedError
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import geometry_to_message
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import PreprocessingServiceStub

PAGE = Path(__file__).parents[4] / "docs" / "observability.md"
STAGES = ["queue", "receive", "orient", "preprocess", "inference", "assemble", "measure", "send"]


def test_what_was_done_is_what_is_counted(observed: Any, volume: Any) -> None:
    before = observed.scrape()
    with ServiceClient(observed.address) as client:
        _, report = client.segment(volume, model="edges")
        client.preprocess(volume)
        client.models()
        with pytest.raises(ServiceRefusedError):
            client.segment(volume, model="Mustermann^Max")
    after = observed.scrape()

    def gained(name: str, **labels: str) -> float:
        return after.value(name, **labels) - before.value(name, **labels)

    requests = "osteoserve_requests_total"
    assert gained(requests, method="Segment", model="edges", outcome="OK") == 1
    assert gained(requests, method="Segment", model="", outcome="NOT_FOUND") == 1
    assert gained(requests, method="Preprocess", model="", outcome="OK") == 1
    assert gained(requests, method="ListModels", model="", outcome="OK") == 1
    assert gained("osteoserve_refusals_total", reason="model_not_found") == 1
    assert gained("osteoserve_request_duration_seconds_count", method="Segment") == 2
    assert gained("osteoserve_received_bytes_total") == 2 * volume.voxels.nbytes
    stages = "osteoserve_stage_duration_seconds"
    for stage in STAGES:
        # What was refused was refused for its header.
        times = 2 if stage == "queue" else 1
        assert gained(f"{stages}_count", method="Segment", stage=stage) == times, stage
    for stage in ("queue", "receive", "orient", "preprocess", "send"):
        assert gained(f"{stages}_count", method="Preprocess", stage=stage) == 1, stage
    in_stages = sum(gained(f"{stages}_sum", method="Segment", stage=stage) for stage in STAGES)
    in_all = gained("osteoserve_request_duration_seconds_sum", method="Segment")
    assert 0 < in_stages <= in_all
    assert in_all - in_stages < 0.5 * in_all, "most of the time is in no stage"
    told = {time.stage: time.seconds for time in report.stages}
    assert gained(f"{stages}_sum", method="Segment", stage="inference") == pytest.approx(
        told["inference"], abs=1e-6
    )


def test_no_label_holds_what_was_typed(observed: Any, volume: Any) -> None:
    with ServiceClient(observed.address) as client:
        for model in ("Mustermann^Max", "19700101", 'x"}\nosteoserve_fake 1'):
            with pytest.raises(ServiceRefusedError):
                client.segment(volume, model=model)
            with pytest.raises(ServiceRefusedError):
                client.model(model)
    with grpc.insecure_channel(observed.address) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/Mustermann.Max/Born19700101")(b"", timeout=20)
    text = observed.text
    assert not re.search("mustermann|19700101|fake", text, re.I)
    models = {dict(labels)["model"] for _, labels in observed.scrape() if "model" in dict(labels)}
    assert models <= {"", "edges"}


@pytest.fixture
def half_sent(observed: Any, volume: Any) -> Iterator[Any]:
    """A call that the service holds memory for."""
    end = threading.Event()

    def messages() -> Iterator[pb.SegmentRequest]:
        head = pb.VolumeHeader(
            geometry=geometry_to_message(volume.geometry),
            element_type=pb.ELEMENT_TYPE_INT16,
            modality=pb.MODALITY_CT,
        )
        yield pb.SegmentRequest(header=pb.SegmentHeader(volume=head, model="edges"))
        end.wait(60)

    with grpc.insecure_channel(observed.address) as channel:
        stub = PreprocessingServiceStub(channel)

        def start(stage: Any) -> Any:
            call = stub.Segment(messages(), timeout=60)
            assert any(response.progress.stage == stage for response in call)
            return call

        yield start
        end.set()


def test_the_present_is_told_as_it_is(
    observed: Any, volume: Any, half_sent: Any, eventually: Any
) -> None:
    def state() -> dict[str, float]:
        scrape = observed.scrape()
        names = ("open_calls", "waiting_calls", "resident_volumes", "resident_bytes")
        return {name: scrape.value(f"osteoserve_{name}") for name in names}

    nothing = dict.fromkeys(("open_calls", "waiting_calls", "resident_volumes"), 0.0)
    nothing["resident_bytes"] = 0.0
    eventually(lambda: state() == nothing)
    first = half_sent(pb.Progress.STAGE_RECEIVING)
    size = float(volume.voxels.nbytes)
    one = {
        "open_calls": 1,
        "waiting_calls": 0,
        "resident_volumes": 1,
        "resident_bytes": size,
    }
    assert state() == one
    second = half_sent(pb.Progress.STAGE_QUEUED)
    assert eventually(lambda: state() == one | {"open_calls": 2, "waiting_calls": 1})
    refused = observed.scrape().value("osteoserve_refusals_total", reason="busy")
    with ServiceClient(observed.address) as client, pytest.raises(ServiceBusyError):
        client.segment(volume, model="edges")
    assert observed.scrape().value("osteoserve_refusals_total", reason="busy") == refused + 1

    def ended() -> float:
        # One that leaves while it uploads looks to gRPC as if its stream had ended.
        scrape, labels = observed.scrape(), {"method": "Segment", "model": "edges"}
        outcomes = ("CANCELLED", "INVALID_ARGUMENT")
        requests = "osteoserve_requests_total"
        return sum(scrape.value(requests, **labels, outcome=outcome) for outcome in outcomes)

    before = ended()
    second.cancel()
    first.cancel()
    eventually(lambda: state() == nothing)
    eventually(lambda: ended() == before + 2)


def test_limits_and_version_stand_beside(observed: Any) -> None:
    scrape = observed.scrape()
    assert scrape.value("osteoserve_open_calls_limit") == 2
    assert scrape.value("osteoserve_resident_volumes_limit") == 1
    assert scrape.value("osteoserve_build_info", version=version("osteoserve")) == 1
    assert scrape.value("process_resident_memory_bytes") > 10 << 20


def test_triton_s_own_numbers_are_passed_on(observed: Any, volume: Any) -> None:
    labels = {"model": "edges", "version": "1"}
    names = [
        "nv_inference_request_success",
        "nv_inference_compute_infer_duration_us",
        "nv_inference_queue_duration_us",
    ]
    before = observed.scrape()
    with ServiceClient(observed.address) as client:
        client.segment(volume, model="edges")
    after = observed.scrape()
    for name in names:
        assert after.value(name, **labels) > before.value(name, **labels), name


def test_a_triton_that_dies_is_seen_and_counted(
    observed: Any, processes_below: Any, eventually: Any
) -> None:
    def told(name: str, **labels: str) -> float:
        return float(observed.scrape().value(name, **labels))

    eventually(lambda: told("osteoserve_serving"))
    before = told("osteoserve_triton_restarts_total")
    (server,) = (
        process
        for process in processes_below(observed.service.process)
        if process.command.split()[0].endswith("/tritonserver")
    )
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: told("osteoserve_triton_restarts_total") == before + 1)
    eventually(lambda: told("osteoserve_serving") and told("osteoserve_model_ready", model="edges"))
    eventually(lambda: ("nv_inference_pending_request_count", LABELS) in observed.scrape())


LABELS = frozenset({("model", "edges"), ("version", "1")})


def test_the_page_names_what_there_is_and_nothing_else(observed: Any, volume: Any) -> None:
    with ServiceClient(observed.address) as client:
        client.segment(volume, model="edges")
    kinds = observed.scrape().kinds
    ours = {
        f"{name}_total" if kind == "counter" else name: kind
        for name, kind in kinds.items()
        if name.startswith("osteoserve_") and not name.endswith("_created")
    }
    page = PAGE.read_text()
    documented = dict(re.findall(r"^\| `(osteoserve_\w+)` \| (\w+) \|", page, re.M))
    assert documented == ours
    triton = set(re.findall(r"`(nv_\w+)`", page)) - set(re.findall(r"`(nv_gpu_\w+)`", page))
    assert triton <= set(kinds)
    assert np.isin(["nv_inference_queue_duration_us"], list(triton)).all()
