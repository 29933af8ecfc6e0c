"""The service's promises, through gRPC and a real Triton."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osteoserve_client.service import ServiceClient, preprocessing_options
from osteoserve_preprocessing.core.sections import SECTION
from osteoserve_preprocessing.geometry import Geometry, Volume
from osteoserve_preprocessing.inference import SegmentationContract
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import geometry_to_message
from osteoserve_preprocessing.v1.preprocessing_pb2_grpc import PreprocessingServiceStub

MODEL, BRIGHT, EDGE = "edges", 1, 2


@pytest.fixture
def stub(service: Any) -> Iterator[Any]:
    with grpc.insecure_channel(service.address) as channel:
        yield PreprocessingServiceStub(channel)


def header(volume: Volume, **changes: Any) -> pb.SegmentHeader:
    stated = {
        "geometry": geometry_to_message(volume.geometry),
        "element_type": pb.ELEMENT_TYPE_INT16,
        "modality": pb.MODALITY_CT,
    }
    model = changes.pop("model", MODEL)
    return pb.SegmentHeader(volume=pb.VolumeHeader(**(stated | changes)), model=model)


def stream(
    head: pb.SegmentHeader, chunks: list[bytes], trailer: pb.Trailer | None
) -> Iterator[pb.SegmentRequest]:
    yield pb.SegmentRequest(header=head)
    for chunk in chunks:
        yield pb.SegmentRequest(chunk=chunk)
    if trailer is not None:
        yield pb.SegmentRequest(trailer=trailer)


def trailer_of(data: bytes) -> pb.Trailer:
    return pb.Trailer(byte_count=len(data), sha256=hashlib.sha256(data).digest())


def labels_in(responses: list[pb.SegmentResponse]) -> bytes:
    return b"".join(response.chunk for response in responses)


def refused(stub: Any, messages: Iterator[pb.SegmentRequest]) -> grpc.RpcError:
    """The error of a call, after which nothing that looks like a result may have come."""
    answers: list[pb.SegmentResponse] = []
    with pytest.raises(grpc.RpcError) as caught:
        answers.extend(stub.Segment(messages, timeout=30))
    assert all(answer.WhichOneof("payload") == "progress" for answer in answers)
    assert all(answer.progress.stage != pb.Progress.STAGE_INFERENCE for answer in answers)
    return caught.value


@given(st.lists(st.integers(1, 12 * 48 * 64 * 2 - 1), max_size=6, unique=True).map(sorted))
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_way_of_cutting_changes_the_answer(
    stub: Any, client: ServiceClient, volume: Volume, cuts: list[int]
) -> None:
    expected, _ = client.segment(volume, model=MODEL)
    data = volume.voxels.astype("<i2").tobytes()
    edges = [0, *cuts, len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    answers = list(stub.Segment(stream(header(volume), pieces, trailer_of(data)), timeout=30))
    assert labels_in(answers) == expected.tobytes()


def test_the_report_says_what_answered_and_what_was_done(
    client: ServiceClient, volume: Volume, contract: SegmentationContract
) -> None:
    labels, report = client.segment(volume, model=MODEL)
    assert (report.model.name, report.model.version) == (MODEL, "1")
    assert (report.model.digest, report.model.precision) == (contract.digest, "fp32")
    assert report.input_sha256 == hashlib.sha256(volume.voxels.tobytes()).digest()
    assert list(report.preprocessing.window_hu) == [0, 300]
    assert report.preprocessing.normalisation == pb.NORMALISATION_INTERPATIENT
    assert report.preprocessing.stretcher.method == pb.STRETCHER_METHOD_BODY
    assert (report.preprocessing.clip_first, report.preprocessing.clip_end) == (0, 12)
    assert report.service_version
    for measure in report.labels:
        assert measure.voxels == int((labels == measure.value).sum()) > 0
        assert measure.mean_hu == pytest.approx(volume.voxels[labels == measure.value].mean())
    assert [(m.value, m.name) for m in report.labels] == [(BRIGHT, "bright"), (EDGE, "edge")]


def test_stage_times_add_up(client: ServiceClient, volume: Volume) -> None:
    _, report = client.segment(volume, model=MODEL)
    times = {time.stage: time.seconds for time in report.stages}
    expected = ["queue", "receive", "orient", "preprocess", "inference", "assemble", "measure"]
    assert list(times) == [*expected, "total"]
    assert sum(times[stage] for stage in expected) == pytest.approx(times["total"])
    assert min(times.values()) >= 0 < times["inference"]


def test_progress_goes_forward_to_the_last_slice(client: ServiceClient, volume: Volume) -> None:
    told: list[pb.Progress] = []
    client.segment(volume, model=MODEL, on_progress=told.append)
    order = [(progress.stage, progress.done) for progress in told]
    assert order == sorted(order)
    assert (told[-1].stage, told[-1].done, told[-1].total) == (
        pb.Progress.STAGE_INFERENCE,
        12,
        12,
    )
    assert pb.Progress.STAGE_RECEIVING in {progress.stage for progress in told}


def test_what_the_model_sees_is_what_preprocess_answers(
    client: ServiceClient, volume: Volume
) -> None:
    check_labels(client, volume)


def test_parts_of_the_body_in_other_places_and_sizes_are_each_labelled_in_theirs(
    client: ServiceClient,
) -> None:
    """Each section is cut to a rectangle of its own, and comes back to where it was."""
    voxels = np.full((3 * SECTION + 5, 130, 260), -1000, np.int16)
    random = np.random.default_rng(7)
    for first, top, left, size in ((0, 0, 0, 20), (20, 100, 200, 30), (40, 10, 150, 110)):
        body = voxels[first : first + 13, top : top + size, left : left + size]
        body[:] = 40 + 200 * random.integers(0, 2, body.shape)
    labels = check_labels(client, Volume(voxels, Geometry(voxels.shape, (2.0, 1.0, 1.0))))
    assert all(labels[first].any() for first in (0, 20, 40))
    assert not labels[[15, 35]].any()


def check_labels(client: ServiceClient, volume: Volume) -> np.ndarray:
    """They follow from the preprocessed slices by the model's own rule."""
    seen = client.preprocess(volume, model=MODEL).slices.astype(float)
    labels, _ = client.segment(volume, model=MODEL)
    right, below = np.zeros_like(seen), np.zeros_like(seen)
    right[:, :, :-1], below[:, :-1] = seen[:, :, 1:], seen[:, 1:]
    bright, edge = seen > 100, seen - 0.75 * right - 0.25 * below > 30
    assert np.array_equal(labels, bright.astype(np.uint8) + (bright & edge))
    return labels


def test_slices_of_another_pixel_spacing_come_back_on_their_own_grid(
    client: ServiceClient, volume: Volume
) -> None:
    fine = np.repeat(np.repeat(volume.voxels, 3, axis=1), 3, axis=2)
    geometry = Geometry(fine.shape, (2.0, 0.3, 0.3), volume.geometry.origin)
    labels, report = client.segment(Volume(fine, geometry), model=MODEL)
    coarse, _ = client.segment(volume, model=MODEL)
    assert labels.shape == fine.shape
    assert any("resampled" in warning for warning in report.preprocessing.warnings)
    # Interpolation moves edges by less than a coarse pixel; deep inside, bone is bone.
    inside = coarse == BRIGHT
    for axis in (1, 2):
        for step in (-1, 1):
            inside &= np.roll(coarse > 0, step, axis=axis)
    assert inside.sum() > 50
    assert (np.repeat(np.repeat(inside, 3, axis=1), 3, axis=2) <= (labels > 0)).all()


def test_air_around_the_patient_changes_nothing(client: ServiceClient, volume: Volume) -> None:
    air = ((3, 4), (60, 90), (70, 33))
    wide = Volume(
        np.pad(volume.voxels, air, constant_values=-1000),
        Geometry((19, 198, 167), volume.geometry.spacing),
    )
    plain, _ = client.segment(volume, model=MODEL)
    labels, report = client.segment(wide, model=MODEL)
    assert np.array_equal(labels, np.pad(plain, air))
    assert labels.any()
    empty = Volume(np.full_like(wide.voxels, -1000), wide.geometry)
    nothing, _ = client.segment(empty, model=MODEL)
    assert not nothing.any()
    assert report.stages


def test_normalisation_other_than_the_models_is_done_and_said(
    client: ServiceClient, volume: Volume
) -> None:
    options = preprocessing_options(normalisation="inpatient")
    _, report = client.segment(volume, model=MODEL, options=options)
    assert report.preprocessing.normalisation == pb.NORMALISATION_INPATIENT
    assert any("trained with interpatient" in w for w in report.preprocessing.warnings)


def test_without_a_model_the_default_window_is_shown(client: ServiceClient, volume: Volume) -> None:
    answer = client.preprocess(volume)
    assert list(answer.report.window_hu) == [0, 300]
    assert answer.slices[volume.voxels <= 0].max() == 0
    kept = ~answer.stretcher_mask
    assert answer.slices[(volume.voxels >= 300) & kept].min() == 255


def test_slices_that_are_clipped_are_background(client: ServiceClient, volume: Volume) -> None:
    options = preprocessing_options(clip_femur_to_head=True)
    labels, report = client.segment(volume, model=MODEL, options=options)
    kept = range(report.preprocessing.clip_first, report.preprocessing.clip_end)
    assert 0 <= kept.start <= kept.stop <= 12
    outside = [k for k in range(12) if k not in kept]
    assert not labels[outside].any()


def test_models_are_listed_with_their_contracts(
    client: ServiceClient, contract: SegmentationContract
) -> None:
    (model,) = client.models()
    assert model == client.model(MODEL)
    assert model.ready
    assert (model.name, model.digest) == (MODEL, contract.digest)
    assert (model.input, model.output, model.size_multiple, model.max_batch) == (
        "slices",
        "labels",
        16,
        8,
    )
    assert [(label.value, label.name) for label in model.labels] == [(1, "bright"), (2, "edge")]
    assert model.labels[0].type.value == "272673000"


DAMAGES = {
    "no trailer": (lambda data: [data], lambda _: None),
    "cut short": (lambda data: [data[:-2]], trailer_of),
    "cut short, and the trailer says so": (
        lambda data: [data[:-2]],
        lambda data: trailer_of(data[:-2]),
    ),
    "bytes too many": (lambda data: [data, b"xx"], lambda data: trailer_of(data + b"xx")),
    "wrong digest": (lambda data: [data], lambda data: trailer_of(data[::-1])),
    "no voxel at all": (lambda _: [], trailer_of),
    "an empty chunk": (lambda data: [b"", data], trailer_of),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_upload_that_is_not_whole_computes_nothing(
    stub: Any, service: Any, volume: Volume, damage: str
) -> None:
    cut, seal = DAMAGES[damage]
    data = volume.voxels.astype("<i2").tobytes()
    before = len(service.calls())
    error = refused(stub, stream(header(volume), cut(data), seal(data)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    (line,) = service.calls()[before:]
    assert "outcome=INVALID_ARGUMENT" in line


def geometry(**changes: Any) -> pb.Geometry:
    message = geometry_to_message(Geometry((12, 48, 64), (2.0, 0.9, 0.9)))
    for name, value in changes.items():
        if isinstance(value, list):
            del getattr(message, name)[:]
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)
    return message


sheared = [1, 0, 0, 0, 1, 0.1, 0, 0, 1]
half_way = [1, 0, 0, 0, 2**-0.5, -(2**-0.5), 0, 2**-0.5, 2**-0.5]


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"model": "no_such_model"}, "NOT_FOUND", "no_such_model"),
        ({"modality": pb.MODALITY_NM}, "INVALID_ARGUMENT", "CT, not NM"),
        ({"modality": 0}, "INVALID_ARGUMENT", "modality"),
        ({"element_type": pb.ELEMENT_TYPE_UINT8}, "INVALID_ARGUMENT", "INT16"),
        ({"geometry": geometry(slices=2001)}, "INVALID_ARGUMENT", "2000 slices"),
        ({"geometry": geometry(rows=2**31, columns=2**31)}, "INVALID_ARGUMENT", "bytes"),
        ({"geometry": geometry(rows=0)}, "INVALID_ARGUMENT", "shape"),
        ({"geometry": geometry(spacing=[1, 1])}, "INVALID_ARGUMENT", "spacing"),
        ({"geometry": geometry(spacing=[1, 1, float("nan")])}, "INVALID_ARGUMENT", "spacing"),
        ({"geometry": geometry(direction=sheared)}, "INVALID_ARGUMENT", "sheared"),
        ({"geometry": geometry(direction=half_way)}, "INVALID_ARGUMENT", "ambiguous"),
        ({"geometry": geometry(slices=13)}, "INVALID_ARGUMENT", "the header declares"),
        ({"geometry": geometry(slices=11)}, "INVALID_ARGUMENT", "more bytes"),
    ],
)
def test_a_header_that_lies_or_asks_too_much_is_refused(
    stub: Any, volume: Volume, changes: dict[str, Any], code: str, words: str
) -> None:
    data = volume.voxels.astype("<i2").tobytes()
    error = refused(stub, stream(header(volume, **changes), [data], trailer_of(data)))
    assert error.code().name == code
    assert words in error.details()


def test_voxels_that_cannot_be_hounsfield_units_are_refused(stub: Any, volume: Volume) -> None:
    data = np.clip(volume.voxels, 0, 255).astype("<i2").tobytes()
    error = refused(stub, stream(header(volume), [data], trailer_of(data)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "HU" in error.details()


def test_a_stream_without_its_header_is_refused(stub: Any) -> None:
    error = refused(stub, iter([pb.SegmentRequest(chunk=b"x")]))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    error = refused(stub, iter([]))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_message_above_the_bound_is_refused(stub: Any, volume: Volume) -> None:
    error = refused(stub, stream(header(volume), [bytes(5 << 20)], None))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_an_unknown_model_is_not_found(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub.GetModel(pb.GetModelRequest(name="no_such_model"), timeout=10)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_the_log_has_one_line_for_a_call(
    service: Any, client: ServiceClient, volume: Volume
) -> None:
    before = len(service.calls())
    client.segment(volume, model=MODEL)
    client.models()  # the line of the call before is written by now
    (line,) = service.calls()[before:]
    for part in ("model='edges'", "shape=12x48x64", "outcome=OK", "seconds=", "inference="):
        assert part in line
