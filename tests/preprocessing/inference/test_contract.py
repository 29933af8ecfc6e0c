"""A contract reads back as it was written, and says what is wrong with one that does not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import model_config_pb2

from osteoserve_preprocessing.core import Normalisation, Window
from osteoserve_preprocessing.errors import ContractError
from osteoserve_preprocessing.inference import (
    Code,
    Label,
    SegmentationContract,
    contract_from_config,
    contract_parameters,
)
from osteoserve_preprocessing.inference.configuration import (
    GPU_PRECISION,
    PlanFile,
    model_configurations,
)
from osteoserve_preprocessing.inference.contract import FILE_PRECISIONS, DetectionContract

words = st.text(min_size=1)
codes = st.builds(Code, words, words, words)
labels = st.lists(
    st.builds(Label, st.integers(1, 255), words, codes, codes),
    min_size=1,
    unique_by=lambda label: label.value,
).map(tuple)
windows = st.tuples(st.integers(-1024, 3071), st.integers(-1024, 3071)).filter(
    lambda limits: limits[0] < limits[1]
)
spacings = st.lists(st.floats(0.01, 100, allow_nan=False), min_size=3, max_size=3, unique=True).map(
    sorted
)


@st.composite
def contracts(draw: st.DrawFn) -> SegmentationContract:
    low, spacing, high = draw(spacings)
    return SegmentationContract(
        name=draw(st.from_regex(r"[a-z][a-z_0-9]{0,20}", fullmatch=True)),
        version=str(draw(st.integers(1, 99))),
        modality=draw(st.sampled_from(["CT", "NM"])),
        labels=draw(labels),
        window=Window(*draw(windows)),
        normalisation=draw(st.sampled_from(Normalisation)),
        pixel_spacing_mm=spacing,
        pixel_spacing_range_mm=(low, high),
        size_multiple=draw(st.integers(1, 256)),
        cut_to_body=draw(st.booleans()),
        digest=draw(st.from_regex(r"[0-9a-f]{64}", fullmatch=True)),
        precision=draw(st.sampled_from(["fp32", "bf16"])),
        file_precision=draw(st.sampled_from(FILE_PRECISIONS)),
        max_batch=draw(st.integers(1, 64)),
        input_name=draw(st.sampled_from(["slices", "x"])),
        output_name=draw(st.sampled_from(["labels", "y"])),
    )


@st.composite
def detection_contracts(draw: st.DrawFn) -> DetectionContract:
    return DetectionContract(
        name=draw(st.from_regex(r"[a-z][a-z_0-9]{0,20}", fullmatch=True)),
        version=str(draw(st.integers(1, 99))),
        modality="NM",
        labels=draw(labels),
        digest=draw(st.from_regex(r"[0-9a-f]{64}", fullmatch=True)),
        precision=draw(st.sampled_from(["fp32", "bf16"])),
        file_precision=draw(st.sampled_from(FILE_PRECISIONS)),
        max_batch=draw(st.integers(1, 64)),
        image_size=draw(st.tuples(st.integers(1, 4096), st.integers(1, 4096))),
        detections=draw(st.integers(1, 1000)),
        mask_cells=draw(st.integers(1, 56)),
    )


@pytest.fixture
def detection(tmp_path: Path, write_detector: Any) -> DetectionContract:
    written = write_detector(tmp_path / "finder")
    assert isinstance(written, DetectionContract)
    return written


@pytest.fixture
def detection_config(detection: DetectionContract) -> model_config_pb2.ModelConfig:
    text = model_configurations(detection)["config.pbtxt"]
    return text_format.Parse(text, model_config_pb2.ModelConfig())


@pytest.fixture
def contract(tmp_path: Path, write_model: Any) -> SegmentationContract:
    written = write_model(tmp_path / "box")
    assert isinstance(written, SegmentationContract)
    return written


@pytest.fixture
def config(contract: SegmentationContract) -> model_config_pb2.ModelConfig:
    text = model_configurations(contract)["config.pbtxt"]
    return text_format.Parse(text, model_config_pb2.ModelConfig())


@given(contracts() | detection_contracts())
def test_every_configuration_states_the_contract(
    contract: SegmentationContract | DetectionContract,
) -> None:
    read = {
        path: contract_from_config(
            text_format.Parse(text, model_config_pb2.ModelConfig()), contract.version
        )
        for path, text in model_configurations(contract).items()
    }
    assert read == {
        "config.pbtxt": contract,
        "configs/cpu.pbtxt": contract,
        "configs/gpu.pbtxt": dataclasses.replace(contract, precision=GPU_PRECISION),
        "configs/tensorrt.pbtxt": dataclasses.replace(contract, precision=GPU_PRECISION),
    }


def test_a_plan_is_named_with_its_own_digest_and_precision(contract: SegmentationContract) -> None:
    plan = PlanFile(digest="ab" * 32, precision="fp16")
    text = model_configurations(contract, plan=plan)["configs/tensorrt.pbtxt"]
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    assert (config.backend, config.default_model_filename) == ("tensorrt", "model.plan")
    assert contract_from_config(config, "1") == dataclasses.replace(
        contract, digest=plan.digest, precision="fp16"
    )


def test_a_second_output_changes_nothing_in_the_contract(contract: SegmentationContract) -> None:
    for text in model_configurations(contract, probabilities=3).values():
        config = text_format.Parse(text, model_config_pb2.ModelConfig())
        assert [list(output.dims) for output in config.output] == [[-1, -1], [3, -1, -1]]
        assert contract_from_config(config, "1").output_name == contract.output_name


def test_whole_slices_are_shown_where_nothing_is_said_of_cutting(
    config: model_config_pb2.ModelConfig,
) -> None:
    """Written by hand, or before it was a parameter: right for every network."""
    assert contract_from_config(config, "1").cut_to_body
    assert not contract_from_config(without(config, "osteoserve.cut_to_body"), "1").cut_to_body


def without(config: model_config_pb2.ModelConfig, key: str) -> model_config_pb2.ModelConfig:
    lacking = model_config_pb2.ModelConfig()
    lacking.CopyFrom(config)
    del lacking.parameters[key]
    return lacking


def test_each_parameter_is_needed_and_named_when_missing(
    contract: SegmentationContract, config: model_config_pb2.ModelConfig
) -> None:
    optional = {"osteoserve.task", "osteoserve.cut_to_body"}
    for key in set(contract_parameters(contract)) - optional:
        with pytest.raises(ContractError, match=f"model box: parameter {key} is missing"):
            contract_from_config(without(config, key), "1")


def test_so_it_is_for_detection(
    detection: DetectionContract, detection_config: model_config_pb2.ModelConfig
) -> None:
    for key in set(contract_parameters(detection)) - {"osteoserve.task"}:
        with pytest.raises(ContractError, match=f"model finder: parameter {key} is missing"):
            contract_from_config(without(detection_config, key), "1")


def test_a_configuration_that_states_no_task_is_for_segmentation(
    contract: SegmentationContract,
    config: model_config_pb2.ModelConfig,
    detection_config: model_config_pb2.ModelConfig,
) -> None:
    assert contract_from_config(without(config, "osteoserve.task"), "1") == contract
    with pytest.raises(ContractError, match="window_hu is missing"):
        contract_from_config(without(detection_config, "osteoserve.task"), "1")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("task", "classification"),
        ("modality", "CT"),
        ("orientation", "LPS axial"),
        ("orientation", "planar view"),
        ("image_size", "24"),
        ("image_size", "24,0"),
        ("image_size", "24.5,32"),
        ("image_size", "32,24"),
        ("detections", "0"),
        ("detections", "4"),
        ("mask_cells", "0"),
        ("mask_cells", "28"),
    ],
)
def test_an_impossible_parameter_of_a_detector_is_refused(
    detection_config: model_config_pb2.ModelConfig, key: str, value: str
) -> None:
    detection_config.parameters[f"osteoserve.{key}"].string_value = value
    with pytest.raises(ContractError, match=r"^model finder: (parameter|there must be)"):
        contract_from_config(detection_config, "1")


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.input.add(name="second"),
        lambda config: config.output.add(name="second"),
        lambda config: config.output.pop(),
        lambda config: setattr(config.output[0], "data_type", model_config_pb2.TYPE_FP16),
        lambda config: setattr(config.output[2], "name", "probabilities"),
        lambda config: config.input[0].dims.append(3),
    ],
)
def test_tensors_that_are_no_detections_are_refused(
    detection_config: model_config_pb2.ModelConfig, change: Any
) -> None:
    change(detection_config)
    with pytest.raises(ContractError, match=r"^model finder: there must be"):
        contract_from_config(detection_config, "1")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("contract", "2"),
        ("modality", "MR"),
        ("labels", "[]"),
        ("window_hu", "300"),
        ("window_hu", "300,0"),
        ("window_hu", "0,300.5"),
        ("window_hu", "0,3e9"),
        ("normalisation", "zscore"),
        ("pixel_spacing_mm", "fine"),
        ("pixel_spacing_mm", "nan"),
        ("pixel_spacing_mm", "1,2"),
        ("pixel_spacing_range_mm", "2,3"),
        ("pixel_spacing_range_mm", "0,3"),
        ("pixel_spacing_range_mm", "1,inf"),
        ("size_multiple", "0"),
        ("size_multiple", "1.5"),
        ("cut_to_body", "perhaps"),
        ("orientation", "RAS axial"),
        ("model_sha256", "abc"),
        ("model_sha256", "A" * 64),
        ("precision", ""),
        ("file_precision", "int4"),
    ],
)
def test_an_impossible_parameter_is_refused(
    config: model_config_pb2.ModelConfig, key: str, value: str
) -> None:
    config.parameters[f"osteoserve.{key}"].string_value = value
    with pytest.raises(ContractError, match=r"^model box: ") as caught:
        contract_from_config(config, "1")
    assert key.split("_")[0] in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.input[0].dims.append(3),
        lambda config: config.input.add(name="second"),
        lambda config: config.ClearField("output"),
        lambda config: setattr(config.output[0], "data_type", model_config_pb2.TYPE_FP32),
        lambda config: setattr(config, "max_batch_size", 0),
    ],
)
def test_tensors_that_are_no_slices_are_refused(
    config: model_config_pb2.ModelConfig, change: Any
) -> None:
    change(config)
    with pytest.raises(ContractError, match=r"^model box: (there must be|input|output|max_batch)"):
        contract_from_config(config, "1")


def test_two_labels_of_one_value_are_refused(contract: SegmentationContract) -> None:
    with pytest.raises(ContractError, match=r"osteoserve\.labels"):
        dataclasses.replace(contract, labels=contract.labels * 2)


def test_label_values_begin_with_background(contract: SegmentationContract) -> None:
    label = contract.labels[0]
    several = tuple(dataclasses.replace(label, value=value) for value in (9, 2))
    assert dataclasses.replace(contract, labels=several).label_values == (0, 2, 9)


def test_a_precision_that_no_cpu_engine_has_is_refused(contract: SegmentationContract) -> None:
    with pytest.raises(ContractError, match=r"osteoserve\.precision.*fp16"):
        model_configurations(dataclasses.replace(contract, precision="fp16"))
