"""A specification reads back as it was written, and says what is wrong with one that does not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pydicom.sr.coding
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.sr.codedict import codes

from osteoserve_export.errors import SpecificationError
from osteoserve_export.label_codes import (
    KNOWN,
    LOCAL_SCHEME,
    labels_of_names,
    labels_of_table,
    table_of_labels,
)
from osteoserve_export.options import asked_for
from osteoserve_export.specification import (
    DetectionSpecification,
    SegmentationSpecification,
    read_specification,
    write_specification,
)
from osteoserve_preprocessing.core import Normalisation, Window

SPECIFICATION = """
[model]
architecture = "resnet_unet"
name = "pelvis"

[input]
window_hu = [-100, 400]

[[label]]
name = "patient"

[[label]]
name = "bone"
"""

names = st.lists(
    st.text("abc defgh", min_size=1, max_size=30).map(str.strip).filter(bool),
    min_size=1,
    max_size=6,
    unique=True,
)


@st.composite
def specifications(draw: st.DrawFn) -> SegmentationSpecification:
    labels = labels_of_names(draw(names))
    low, middle, high = sorted(draw(st.lists(st.floats(0.1, 5), min_size=3, max_size=3)))
    return SegmentationSpecification(
        architecture=draw(st.sampled_from(["unet", "resnet_unet", "package.module:factory"])),
        name=draw(st.from_regex(r"[a-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)),
        labels=labels,
        version=draw(st.integers(1, 10**6)),
        options=draw(st.dictionaries(st.sampled_from(["first_channels", "depth"]), st.integers())),
        window=Window(draw(st.integers(-1000, -1)), draw(st.integers(0, 3000))),
        normalisation=draw(st.sampled_from(Normalisation)),
        pixel_spacing_mm=middle,
        pixel_spacing_range_mm=(low, high),
        mean=draw(st.sampled_from([(0.0,), (0.5,), (0.485, 0.456, 0.406)])),
        std=draw(st.tuples(st.floats(0.01, 9))),
        activation="argmax" if len(labels) > 1 else draw(st.sampled_from(["threshold", "argmax"])),
        threshold=draw(st.floats(0.01, 0.99)),
        probabilities=draw(st.booleans()),
        precision=draw(st.sampled_from(["fp32", "fp16", "int8"])),
        size_multiple=draw(st.none() | st.integers(1, 64)),
        least_dice=draw(st.none() | st.floats(0.5, 1)),
    )


@st.composite
def detector_specifications(draw: st.DrawFn) -> DetectionSpecification:
    return DetectionSpecification(
        architecture="mask_rcnn",
        name=draw(st.from_regex(r"[a-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)),
        labels=labels_of_names(draw(names)),
        version=draw(st.integers(1, 10**6)),
        options=draw(st.dictionaries(st.sampled_from(["box_score_thresh"]), st.floats(0, 1))),
        precision=draw(st.sampled_from(["fp32", "fp16"])),
        max_batch=draw(st.integers(1, 64)),
        image_size=draw(st.tuples(st.integers(1, 2000), st.integers(1, 2000))),
        least_dice=draw(st.none() | st.floats(0.5, 1)),
        match_rate=draw(st.floats(0.5, 1)),
        score_tolerance=draw(st.floats(0.001, 0.5)),
    )


@given(specifications() | detector_specifications())
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory,
    asked: SegmentationSpecification | DetectionSpecification,
) -> None:
    path = tmp_path_factory.mktemp("specification") / "export.toml"
    path.write_text(write_specification(asked), encoding="utf-8")
    assert read_specification(path, {}) == asked


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "export.toml"
    path.write_text(SPECIFICATION)
    return path


def test_options_go_before_the_file(file: Path) -> None:
    asked = asked_for(file, name="other", version=3, window="0,300", precision=None)
    assert (asked.name, asked.version, asked.window) == ("other", 3, Window(0, 300))
    assert asked.architecture == "resnet_unet"
    assert asked_for(file).window == Window(-100, 400)


def test_options_alone_are_enough() -> None:
    asked = asked_for(
        None,
        architecture="unet",
        name="skeleton",
        labels="skeleton",
        options=["first_channels=4", "kind=plain"],
        pixel_spacing_range="0.5,2",
        formats="onnx,tensorrt",
        tolerance=0.99,
    )
    assert asked.options == {"first_channels": 4, "kind": "plain"}
    assert asked.formats == ("onnx", "tensorrt")
    assert asked.required_dice == 0.99
    assert asked.activation == "threshold"


def detector(**changes: object) -> DetectionSpecification:
    given = {"architecture": "mask_rcnn", "name": "found", "labels": "skull,spine"}
    asked = asked_for(None, **(given | changes))
    assert isinstance(asked, DetectionSpecification)
    return asked


def test_the_architecture_decides_what_is_asked() -> None:
    asked = detector(image_size="640,400", match_rate=0.9)
    assert (asked.image_size, asked.match_rate, asked.max_batch) == ((640, 400), 0.9, 8)
    assert detector().image_size == (950, 512)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"window": "0,300"}, "mask_rcnn is for detection, which has no window_hu"),
        ({"threshold": 0.5}, "no threshold"),
        ({"activation": "argmax"}, "no activation"),
        ({"probabilities": True}, "no probabilities"),
        ({"space_to_depth": False}, "no space_to_depth"),
        ({"normalisation": "inpatient"}, "no normalisation"),
        ({"pixel_spacing": 1.0}, "no pixel_spacing_mm"),
        ({"mean": "0.5"}, "no mean"),
        ({"logit_tolerance": 0.1}, "no logit_tolerance"),
        ({"precision": "int8"}, "fp32 or fp16, not in int8"),
        ({"image_size": "950x512"}, "--image-size"),
        ({"image_size": "950"}, "image_size"),
        ({"image_size": "0,512"}, "image_size"),
        ({"match_rate": 0.0}, "match_rate"),
        ({"score_tolerance": 1.0}, "score_tolerance"),
    ],
)
def test_what_makes_no_sense_for_a_detector_is_named(changes: dict[str, object], word: str) -> None:
    with pytest.raises(SpecificationError, match=word) as caught:
        detector(**changes)
    assert len(str(caught.value).splitlines()) == 1


def test_what_a_detector_has_is_none_of_a_u_net(file: Path) -> None:
    for changes in ({"image_size": "950,512"}, {"match_rate": 0.9}, {"score_tolerance": 0.1}):
        with pytest.raises(SpecificationError, match="resnet_unet is for segmentation, which has"):
            asked_for(file, **changes)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_reduced_precision_may_agree_less(file: Path, precision: str) -> None:
    required = {"fp32": 0.999, "fp16": 0.995, "int8": 0.995}
    assert asked_for(file, precision=precision).required_dice == required[precision]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"name": "../elsewhere"}, "name"),
        ({"name": ""}, "name"),
        ({"labels": "bone,bone"}, "labels"),
        ({"labels": "bone,"}, "labels"),
        ({"window": "300"}, "--window"),
        ({"window": "300,0"}, "--window"),
        ({"window": "0.5,300"}, "--window"),
        ({"pixel_spacing": 9.0}, "pixel_spacing"),
        ({"pixel_spacing_range": "wide"}, "--pixel-spacing-range"),
        ({"formats": "tensorrt"}, "formats"),
        ({"formats": "onnx,tflite"}, "formats"),
        ({"activation": "threshold"}, "argmax"),
        ({"threshold": 1.0}, "threshold"),
        ({"std": "0"}, "std"),
        ({"std": "1,2"}, "three channels"),
        ({"mean": "grey"}, "--mean"),
        ({"tolerance": 1.5}, "least_dice"),
        ({"logit_tolerance": 0.0}, "logit_tolerance"),
        ({"options": ["depth"]}, "--option"),
    ],
)
def test_an_impossible_value_is_named(file: Path, changes: dict[str, object], word: str) -> None:
    with pytest.raises(SpecificationError, match=word) as caught:
        asked_for(file, **changes)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[model]\nname = ", "export.toml"),
        ("[model]\nnam = 'x'", "nam"),
        ("[nonsense]\nname = 'x'", "nonsense"),
        ("name = 'x'", "table"),
        ("[model]\nname = 'x'", "architecture"),
        ("[input]\nwindow_hu = 3", "window_hu"),
        ("[input]\nnormalisation = 'zscore'", "zscore"),
        ("[[label]]\nvalue = 1", "name"),
        ("[[label]]\nname = 'bone'\nvalue = 'one'", "integer"),
        ("[[label]]\nname = 'bone'\ntype = ['1']", "bone"),
        ("[[label]]\nname = 'bone'\ncolour = 'red'", "colour"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "export.toml"
    path.write_text(text)
    with pytest.raises(SpecificationError, match=word) as caught:
        read_specification(path, {})
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_labels_must_be_the_classes_in_their_order(file: Path) -> None:
    asked = asked_for(file)
    with pytest.raises(SpecificationError, match="order"):
        dataclasses.replace(asked, labels=asked.labels[::-1])


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_code_is_snomed_s(name: str) -> None:
    code = KNOWN[name]
    concepts = [getattr(codes.SCT, word) for word in dir(codes.SCT)]
    meanings = [
        concept.meaning.removesuffix(" (body structure)").lower()
        for concept in concepts
        if isinstance(concept, pydicom.sr.coding.Code) and concept.value == code.value
    ]
    assert code.meaning.lower() in meanings, f"{code.value} means {meanings}"


def test_a_name_without_a_code_gets_a_local_one() -> None:
    (label,) = labels_of_names(["costal cartilage"])
    assert label.type.scheme == LOCAL_SCHEME
    assert len(label.type.value) <= 16  # PS3.5 table 6.2-1: SH


def test_labels_come_back_from_their_table() -> None:
    labels = labels_of_names(["skeleton", "something else"])
    assert labels_of_table(table_of_labels(labels)) == labels
