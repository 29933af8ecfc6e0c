"""Every documented value of the wire has a meaning, and no other has."""

from __future__ import annotations

import pytest

from osteoserve_preprocessing.core import Normalisation, StretcherMethod
from osteoserve_preprocessing.errors import GeometryError, OptionError, UploadError
from osteoserve_preprocessing.geometry import Geometry
from osteoserve_preprocessing.server import converters
from osteoserve_preprocessing.server.exchange import Progress, Stage
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb
from osteoserve_preprocessing.v1.framing import geometry_to_message

GEOMETRY = Geometry((3, 4, 5), (2.0, 1.0, 1.5), (1.0, 2.0, 3.0))


def header(**changes: int) -> pb.SegmentHeader:
    volume = {"element_type": pb.ELEMENT_TYPE_INT16, "modality": pb.MODALITY_CT}
    options = {key: changes.pop(key) for key in ("stretcher", "normalisation") if key in changes}
    return pb.SegmentHeader(
        volume=pb.VolumeHeader(geometry=geometry_to_message(GEOMETRY), **(volume | changes)),
        options=pb.PreprocessingOptions(**options),
        model="unet_skeleton",
    )


def test_what_is_left_out_takes_the_documented_default() -> None:
    request = converters.volume_request(header())
    assert request.geometry.matches(GEOMETRY)
    assert (request.modality, request.model) == ("CT", "unet_skeleton")
    assert request.stretcher is StretcherMethod.BODY
    assert request.normalisation is None
    assert not request.clip_femur_to_head


@pytest.mark.parametrize("number", pb.StretcherMethod.values())
def test_every_stretcher_method_is_known(number: int) -> None:
    method = converters.volume_request(header(stretcher=number)).stretcher
    name = pb.StretcherMethod.Name(number).removeprefix("STRETCHER_METHOD_")
    assert method is (StretcherMethod[name] if number else StretcherMethod.BODY)


@pytest.mark.parametrize("number", pb.Normalisation.values())
def test_every_normalisation_is_known(number: int) -> None:
    normalisation = converters.volume_request(header(normalisation=number)).normalisation
    name = pb.Normalisation.Name(number).removeprefix("NORMALISATION_")
    assert normalisation is (Normalisation[name] if number else None)


@pytest.mark.parametrize("field", ["stretcher", "normalisation", "modality", "element_type"])
def test_a_number_without_a_meaning_is_refused(field: str) -> None:
    with pytest.raises(OptionError, match=field):
        converters.volume_request(header(**{field: 77}))


@pytest.mark.parametrize("field", ["modality", "element_type"])
def test_modality_and_element_type_must_be_stated(field: str) -> None:
    with pytest.raises(OptionError, match=field):
        converters.volume_request(header(**{field: 0}))


def test_an_empty_header_is_refused() -> None:
    empty = pb.SegmentHeader(volume=pb.VolumeHeader(element_type=pb.ELEMENT_TYPE_INT16))
    with pytest.raises(GeometryError):
        converters.volume_request(empty)


@pytest.mark.parametrize("message", [pb.SegmentRequest(), pb.SegmentRequest(chunk=b"x")])
def test_a_stream_begins_with_its_header(message: pb.SegmentRequest) -> None:
    with pytest.raises(UploadError, match="begins with its header"):
        converters.header_of(message)


@pytest.mark.parametrize("stage", list(Stage))
def test_every_stage_is_told(stage: Stage) -> None:
    message = converters.progress_message(Progress(stage, 1, 2))
    assert pb.Progress.Stage.Name(message.stage) == f"STAGE_{stage.name}"
    assert (message.done, message.total) == (1, 2)
