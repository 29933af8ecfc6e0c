from __future__ import annotations

import pytest
from pydicom import DataElement, Dataset, config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage

from osteoserve_client.errors import MissingAttributeError
from osteoserve_client.writing.dicom_source import dicom_source


def state(dataset: Dataset, keyword: str, value: str) -> None:
    """Have the header state what its VR forbids."""
    tag, vr = tag_for_keyword(keyword), dictionary_VR(keyword)
    dataset[keyword] = DataElement(tag, vr, value, validation_mode=config.IGNORE)


def test_places_and_identity_are_the_sources_to_the_letter(factory) -> None:
    study = factory.dicom(PatientName="Äé^Ö", PixelSpacing=["0.7500", ".75"])
    source = dicom_source(study)
    assert source.warnings == ()
    for image, original in zip(source.images, study.datasets, strict=True):
        assert image.SOPInstanceUID == original.SOPInstanceUID
        assert image.ImagePositionPatient == original.ImagePositionPatient
        assert [str(value) for value in image.PixelSpacing] == ["0.7500", ".75"]
    assert source.images[0].PatientName == "Äé^Ö"


@pytest.mark.parametrize(
    "keyword",
    ["PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
     "StudyID", "AccessionNumber", "ReferringPhysicianName"],
)  # fmt: skip
def test_an_absent_type_2_attribute_becomes_empty(factory, keyword) -> None:
    source = dicom_source(factory.dicom(**{keyword: None}))
    assert keyword in source.images[0]
    assert not source.images[0].get(keyword)
    assert source.warnings == ()


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("StudyDate", "sometime"), ("PatientBirthDate", "19991"), ("StudyID", "x" * 17),
     ("PatientSex", "X"), ("StudyTime", "25h")],
)  # fmt: skip
def test_an_invalid_value_is_left_out_and_named_without_quoting_it(
    factory, keyword, value, recwarn
) -> None:
    study = factory.dicom()
    state(study.datasets[0], keyword, value)
    source = dicom_source(study)
    assert not source.images[0].get(keyword)
    (warning,) = source.warnings
    assert keyword in warning
    assert value not in warning
    assert not recwarn.list


def test_an_overlong_patient_id_still_names_the_same_patient(factory) -> None:
    study = factory.dicom()
    state(study.datasets[0], "PatientID", "1" * 70)
    assert dicom_source(study).images[0].PatientID == "1" * 70


@pytest.mark.parametrize(
    "keyword", ["StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"]
)
def test_an_absent_uid_is_replaced_the_same_way_every_time_and_said(factory, keyword) -> None:
    first = dicom_source(factory.dicom(**{keyword: None}))
    second = dicom_source(factory.dicom(**{keyword: ""}))
    assert first.images[0][keyword].value == second.images[0][keyword].value
    assert UID(first.images[0][keyword].value).is_valid
    assert len({image[keyword].value for image in first.images}) == 1
    assert keyword in first.warnings[0]


def test_an_invalid_uid_is_repeated_and_said(factory) -> None:
    study = factory.dicom()
    for dataset in study.datasets:
        state(dataset, "StudyInstanceUID", "05fa52f0")
    source = dicom_source(study)
    assert source.images[0].StudyInstanceUID == "05fa52f0"
    (warning,) = source.warnings
    assert "StudyInstanceUID" in warning
    assert "05fa52f0" not in warning


def test_a_deidentification_that_does_not_say_how_is_not_repeated(factory) -> None:
    vague = dicom_source(factory.dicom(PatientIdentityRemoved="YES"))
    assert "PatientIdentityRemoved" not in vague.images[0]
    clear = dicom_source(
        factory.dicom(PatientIdentityRemoved="YES", DeidentificationMethod="PS3.15")
    )
    assert clear.images[0].PatientIdentityRemoved == "YES"


def test_class_and_instance_are_taken_from_the_files_meta_information(factory) -> None:
    study = factory.dicom(SOPClassUID=None, SOPInstanceUID=None)
    for k, dataset in enumerate(study.datasets):
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
        dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{k + 1}"
    images = dicom_source(study).images
    assert [image.SOPInstanceUID for image in images] == [f"1.2.3.{k}" for k in range(1, 6)]
    assert {image.SOPClassUID for image in images} == {CTImageStorage}


@pytest.mark.parametrize("value", [None, "1.2.3"])
def test_a_slice_that_cannot_be_referred_to_is_refused(factory, value) -> None:
    with pytest.raises(MissingAttributeError, match=r"slice \d has no SOP Instance UID of its own"):
        dicom_source(factory.dicom(SOPInstanceUID=value))


def test_nothing_but_what_is_listed_is_carried_over(factory) -> None:
    source = dicom_source(
        factory.dicom(
            PatientComments="free text", OtherPatientIDs="X", RequestAttributesSequence=[]
        )
    )
    for image in source.images:
        assert "PatientComments" not in image
        assert "OtherPatientIDs" not in image
        assert "RequestAttributesSequence" not in image
