"""What ``osteoserve segment`` writes for DICOM sources, read back."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import dcmread

from osteoserve_client.errors import (
    LabelMapError,
    MissingAttributeError,
    UnreadableFileError,
)
from osteoserve_client.evaluation.alignment import aligned
from osteoserve_client.evaluation.label_maps import LabelVolume
from osteoserve_client.evaluation.segmentation_objects import read_segmentation_object
from osteoserve_client.phantom import make_ct_phantom, write_dicom_study
from osteoserve_client.reading import read_study
from osteoserve_client.writing import write_outputs
from osteoserve_preprocessing.v1 import preprocessing_pb2 as pb


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ct")
    write_dicom_study(make_ct_phantom(slices=5, region="pelvis", seed=0), folder)
    return read_study(folder)


@pytest.fixture(scope="module")
def labels(study):
    shape = study.volume.geometry.shape
    labels = np.zeros(shape, np.uint8)
    labels[1:4, 100:160, 90:200] = 1
    labels[3, 120:140, 95:150] = 2
    return labels


def write(study, labels, out, names):
    report = pb.SegmentReport(service_version="0", input_sha256=bytes(32))
    report.model.name, report.model.version, report.model.digest = "bones", "1", "0f" * 32
    report.preprocessing.window_hu.extend((0, 300))
    for value, name in names.items():
        label = report.model.labels.add(value=value, name=name)
        label.category.CopyFrom(pb.Code(value="123037004", scheme="SCT", meaning="Structure"))
        label.type.CopyFrom(pb.Code(value="272673000", scheme="SCT", meaning="Bone"))
        count = int((labels == value).sum())
        measure = report.labels.add(value=value, name=name, voxels=count)
        measure.mean_hu = measure.sd_hu = 0
        measure.first_slice = measure.last_slice = 1
    write_outputs(study, labels, report, out)
    return out / "skeleton.seg.dcm"


@pytest.fixture(scope="module")
def written(study, labels, tmp_path_factory):
    return write(study, labels, tmp_path_factory.mktemp("out"), {1: "Pelvis", 2: "Femora"})


def changed(path, folder, change):
    dataset = dcmread(path)
    change(dataset)
    dataset.save_as(folder / "changed.dcm")
    return folder / "changed.dcm"


def test_it_is_read_back_onto_the_source(study, labels, written):
    found = read_segmentation_object(written, "a.seg.dcm")
    assert found.names == {1: "Pelvis", 2: "Femora"}
    reference = LabelVolume(labels, study.volume.geometry)
    true, mapped, _ = aligned(reference, found, "study")
    assert np.array_equal(mapped, true)


@pytest.mark.parametrize("slices", [slice(2, 3), slice(0, 5), slice(0, 0)])
def test_one_segment_is_stated_once_for_all_frames(study, labels, tmp_path, slices):
    one = np.zeros_like(labels)
    one[slices] = labels[slices] > 0
    found = read_segmentation_object(write(study, one, tmp_path, {1: "Skeleton"}), "a.seg.dcm")
    _, mapped, _ = aligned(LabelVolume(one, study.volume.geometry), found, "study")
    assert np.array_equal(mapped, one)


def test_the_order_of_frames_does_not_matter(study, labels, written, tmp_path):
    def reverse(dataset):
        frames = dataset.pixel_array
        packed = np.packbits(frames[::-1].ravel(), bitorder="little").tobytes()
        dataset.PixelData = packed + b"\0" * (len(packed) % 2)
        groups = list(dataset.PerFrameFunctionalGroupsSequence)
        dataset.PerFrameFunctionalGroupsSequence = groups[::-1]

    found = read_segmentation_object(changed(written, tmp_path, reverse), "a.dcm")
    _, mapped, _ = aligned(LabelVolume(labels, study.volume.geometry), found, "study")
    assert np.array_equal(mapped, labels)


def test_what_is_no_segmentation_is_refused(study, written, tmp_path):
    (tmp_path / "text.dcm").write_text("no DICOM")
    with pytest.raises(UnreadableFileError, match=r"^text\.dcm: is no DICOM segmentation"):
        read_segmentation_object(tmp_path / "text.dcm", "text.dcm")
    truncated = tmp_path / "half.dcm"
    truncated.write_bytes(written.read_bytes()[:-2000])
    with pytest.raises(UnreadableFileError):
        read_segmentation_object(truncated, "half.dcm")


def test_shares_are_no_masks(written, tmp_path):
    def fractional(dataset):
        dataset.SegmentationType = "FRACTIONAL"

    path = changed(written, tmp_path, fractional)
    with pytest.raises(LabelMapError, match="FRACTIONAL"):
        read_segmentation_object(path, "a.dcm")


def test_frames_without_a_place_are_refused(written, tmp_path):
    def nowhere(dataset):
        for groups in dataset.PerFrameFunctionalGroupsSequence:
            del groups.PlanePositionSequence

    path = changed(written, tmp_path, nowhere)
    with pytest.raises((MissingAttributeError, UnreadableFileError), match=r"^a\.dcm: "):
        read_segmentation_object(path, "a.dcm")
