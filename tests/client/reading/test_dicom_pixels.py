"""Pixels come out as the HU that were stored, however they were stored, or not at all."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    RLELossless,
)

import osteoserve_client.errors as errors
from osteoserve_client.reading import read_study
from osteoserve_client.reading.dicom.codestream import jpeg_2000_size, jpeg_size
from osteoserve_client.reading.dicom.rescale import to_hounsfield
from osteoserve_client.reading.dicom.slices import Rescale
from tests.client.reading.conftest import Refuses
from tests.client.reading.ct_series import Series, field, places, save

Change = Callable[[Dataset, int], None]
SERIES = Series(rows=32, columns=40)  # large enough for five levels of wavelets


def compressed(dataset: Dataset, syntax: str) -> None:
    dataset.compress(syntax, generate_instance_uid=False)


def compressing(syntax: str) -> Change:
    return lambda dataset, _: compressed(dataset, syntax)


def setting(keyword: str, value: int) -> Change:
    return lambda dataset, _: setattr(dataset, keyword, value)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_uncompressed_syntaxes_hold_the_same_hu(tmp_path: Path, syntax: str) -> None:
    def change(dataset: Dataset, index: int) -> None:
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            pixels = np.frombuffer(dataset.PixelData, "<i2")
            dataset["PixelData"].value = pixels.astype(">i2").tobytes()

    volume = read_study(SERIES.write(tmp_path, change)).volume

    assert np.array_equal(volume.voxels, field(places(volume.geometry)))


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_lossless_compression_holds_the_same_hu(tmp_path: Path, syntax: str) -> None:
    folder = SERIES.write(tmp_path, compressing(syntax))

    volume = read_study(folder).volume

    assert np.array_equal(volume.voxels, field(places(volume.geometry)))


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_frames_of_a_compressed_multi_frame_image_are_told_apart(
    tmp_path: Path, syntax: str
) -> None:
    dataset = SERIES.enhanced([3, 0, 4, 1, 2])
    compressed(dataset, syntax)

    volume = read_study(save(dataset, tmp_path / "multi.dcm")).volume

    assert np.array_equal(volume.voxels, field(places(volume.geometry)))


def test_files_without_preamble_are_read(tmp_path: Path) -> None:
    for index in range(SERIES.slices):
        dataset = SERIES.dataset(index)
        del dataset.file_meta
        dataset.save_as(tmp_path / f"{index}", implicit_vr=True, little_endian=True)

    volume = read_study(tmp_path).volume

    assert np.array_equal(volume.voxels, field(places(volume.geometry)))


class TestTruncation:
    @pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
    @pytest.mark.parametrize("cut", [-8, -20, -200])
    def test_compressed_pixels_that_break_off_are_refused(
        self, tmp_path: Path, refuses: Refuses, syntax: str, cut: int
    ) -> None:
        SERIES.write(tmp_path, compressing(syntax))
        path = tmp_path / "IM0001.dcm"
        path.write_bytes(path.read_bytes()[:cut])

        refuses(tmp_path, errors.PixelDataError, "IM0001.dcm: truncated")

    def test_a_codestream_cut_inside_its_item_is_refused(
        self, tmp_path: Path, refuses: Refuses
    ) -> None:
        def cut(dataset: Dataset, index: int) -> None:
            compressed(dataset, JPEG2000Lossless)
            (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
            dataset.PixelData = encapsulate([frame[: len(frame) // 2]])

        refuses(SERIES.write(tmp_path, cut), errors.PixelDataError, "truncated")

    @pytest.mark.parametrize(("keyword", "value"), [("Rows", 31), ("Rows", 33), ("Columns", 39)])
    def test_pixels_that_are_not_of_the_declared_size_are_refused(
        self, tmp_path: Path, refuses: Refuses, keyword: str, value: int
    ) -> None:
        folder = SERIES.write(tmp_path, setting(keyword, value))

        refuses(folder, errors.PixelDataError, "its header declares")

    def test_a_few_bytes_of_padding_are_none_of_the_image(self, tmp_path: Path) -> None:
        def pad(dataset: Dataset, index: int) -> None:
            dataset["PixelData"].value = dataset.PixelData + bytes(6)

        volume = read_study(SERIES.write(tmp_path, pad)).volume

        assert np.array_equal(volume.voxels, field(places(volume.geometry)))


class TestBombs:
    def test_a_deflated_file_that_expands_beyond_its_declared_size(
        self, tmp_path: Path, refuses: Refuses
    ) -> None:
        dataset = SERIES.dataset(0)
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        dataset["PixelData"].value = bytes(64 << 20)
        path = save(dataset, tmp_path / "bomb.dcm")
        assert path.stat().st_size < 1 << 20

        refuses(path, errors.DecompressionBoundError, "bomb.dcm: expands to more than")

    def test_a_deflated_header_that_never_ends(self, tmp_path: Path, refuses: Refuses) -> None:
        dataset = SERIES.dataset(0)
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        dataset.add_new("EncapsulatedDocument", "OB", bytes(64 << 20))
        path = save(dataset, tmp_path / "bomb.dcm")

        refuses(path, errors.DecompressionBoundError, "bomb.dcm: its header expands")

    def test_a_deflated_file_that_breaks_off(self, tmp_path: Path, refuses: Refuses) -> None:
        dataset = SERIES.dataset(0)
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        path = save(dataset, tmp_path / "cut.dcm")
        path.write_bytes(path.read_bytes()[:-40])

        refuses(path, errors.PixelDataError, "cut.dcm: the deflated data break off")

    def test_a_codestream_that_claims_to_be_larger(self, tmp_path: Path, refuses: Refuses) -> None:
        def enlarge(dataset: Dataset, index: int) -> None:
            compressed(dataset, JPEG2000Lossless)
            (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
            # Xsiz and Ysiz stand 8 bytes behind the start of the codestream.
            frame = frame[:8] + struct.pack(">II", 60000, 60000) + frame[16:]
            dataset.PixelData = encapsulate([frame])

        folder = SERIES.write(tmp_path, enlarge)
        refuses(folder, errors.DecompressionBoundError, "60000x60000")

    def test_more_frames_than_memory(self, tmp_path: Path, refuses: Refuses) -> None:
        def claim(dataset: Dataset, index: int) -> None:
            dataset.Rows = dataset.Columns = 65535

        folder = SERIES.write(tmp_path, claim)
        refuses(folder, errors.PixelDataError, "5x65535x65535 voxels")


def test_a_compression_that_nothing_decodes_is_named(tmp_path: Path, refuses: Refuses) -> None:
    def claim(dataset: Dataset, index: int) -> None:
        compressed(dataset, RLELossless)
        dataset.file_meta.TransferSyntaxUID = JPEGExtended12Bit

    refuses(SERIES.write(tmp_path, claim), errors.TransferSyntaxError, "JPEG Extended")


def test_frames_lost_from_a_multi_frame_image_are_noticed(tmp_path: Path, refuses: Refuses) -> None:
    dataset = SERIES.enhanced()
    compressed(dataset, RLELossless)
    frames = list(generate_frames(dataset.PixelData, number_of_frames=5))
    dataset.PixelData = encapsulate(frames[:4])

    refuses(save(dataset, tmp_path / "multi.dcm"), errors.PixelDataError, "multi.dcm: truncated")


class TestBitLayouts:
    """The stored value is BitsStored bits below and with HighBit (PS3.5, section 8.1.1)."""

    @staticmethod
    def write(folder: Path, pixels: np.ndarray, **layout: int) -> Path:
        def change(dataset: Dataset, index: int) -> None:
            for keyword, value in layout.items():
                setattr(dataset, keyword, value)
            dataset["PixelData"].value = pixels.tobytes()

        return Series(slices=1, rows=1, columns=4, intercept=0).write(folder, change)

    def test_twelve_bits_with_their_sign_not_extended(self, tmp_path: Path) -> None:
        pixels = np.array([0x000, 0x7FF, 0x800, 0xFFF], dtype="<u2")
        folder = self.write(tmp_path, pixels, BitsStored=12, HighBit=11, PixelRepresentation=1)

        assert read_study(folder).volume.voxels.ravel().tolist() == [0, 2047, -2048, -1]

    def test_twelve_bits_with_their_sign_extended(self, tmp_path: Path) -> None:
        pixels = np.array([0, 2047, -2048, -1], dtype="<i2")
        folder = self.write(tmp_path, pixels, BitsStored=12, HighBit=11, PixelRepresentation=1)

        assert read_study(folder).volume.voxels.ravel().tolist() == [0, 2047, -2048, -1]

    def test_eight_bits(self, tmp_path: Path) -> None:
        pixels = np.array([0, 1, 127, 255], dtype="u1")
        layout = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}

        voxels = read_study(self.write(tmp_path, pixels, **layout)).volume.voxels
        assert voxels.ravel().tolist() == [0, 1, 127, 255]

    def test_thirty_two_bits(self, tmp_path: Path) -> None:
        pixels = np.array([-32768, -1, 0, 32767], dtype="<i4")
        layout = {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31, "PixelRepresentation": 1}

        voxels = read_study(self.write(tmp_path, pixels, **layout)).volume.voxels
        assert voxels.ravel().tolist() == [-32768, -1, 0, 32767]

    def test_an_overlay_in_the_upper_bits_is_taken_away(self, tmp_path: Path) -> None:
        pixels = np.array([0x8000, 0x1001, 0x07D0, 0xF123], dtype="<u2")

        def change(dataset: Dataset, index: int) -> None:
            dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
            dataset.add_new(0x60000102, "US", 12)
            dataset["PixelData"].value = pixels.tobytes()

        folder = Series(slices=1, rows=1, columns=4, intercept=0).write(tmp_path, change)
        assert read_study(folder).volume.voxels.ravel().tolist() == [0, 1, 2000, 0x123]

    def test_values_beyond_the_bits_stored_are_refused(
        self, tmp_path: Path, refuses: Refuses
    ) -> None:
        pixels = np.array([0, 1, 2, 0x1000], dtype="<u2")
        folder = self.write(tmp_path, pixels, BitsStored=12, HighBit=11, PixelRepresentation=0)

        refuses(folder, errors.PixelFormatError, "do not fit into its 12 bits")

    @pytest.mark.parametrize(
        "layout",
        [
            {"BitsAllocated": 12},
            {"BitsStored": 17},
            {"HighBit": 16},
            {"BitsStored": 12, "HighBit": 10},
        ],
    )
    def test_layouts_that_cannot_be_are_refused(
        self, tmp_path: Path, refuses: Refuses, layout: dict[str, int]
    ) -> None:
        folder = self.write(tmp_path, np.zeros(4, "<i2"), **layout)

        refuses(folder, errors.PixelFormatError, "bits allocated")


class TestRescale:
    @given(
        stored=st.integers(-32768, 32767),
        slope=st.sampled_from([1.0, 2.0, 0.5, 0.1]),
        intercept=st.sampled_from([0.0, -1024.0, -1000.5, 31.0]),
    )
    def test_hu_are_exact_to_half_a_unit(self, stored: int, slope: float, intercept: float) -> None:
        exact = stored * slope + intercept
        pixels = np.array([[stored]], dtype=np.int16)
        if not -32768 <= np.rint(exact) <= 32767:
            with pytest.raises(errors.HounsfieldError):
                to_hounsfield(pixels, Rescale(slope, intercept), "slice")
            return
        found = to_hounsfield(pixels, Rescale(slope, intercept), "slice")
        assert found.dtype == np.int16
        assert abs(int(found[0, 0]) - exact) <= 0.5

    def test_unsigned_values_do_not_wrap(self) -> None:
        pixels = np.array([[0, 65535, 33792]], dtype=np.uint16)

        found = to_hounsfield(pixels, Rescale(1.0, -32768.0), "slice")

        assert found.tolist() == [[-32768, 32767, 1024]]

    def test_padding_keeps_its_hu(self, tmp_path: Path) -> None:
        def pad(dataset: Dataset, index: int) -> None:
            dataset.PixelPaddingValue = -2000
            pixels = np.frombuffer(dataset.PixelData, "<i2").copy()
            pixels[:3] = -2000
            dataset["PixelData"].value = pixels.tobytes()

        voxels = read_study(SERIES.write(tmp_path, pad)).volume.voxels

        assert (voxels[:, 0, :3] == -3024).all()

    @pytest.mark.parametrize("padding", [-32768, 32768], ids=["signed", "wrongly unsigned"])
    def test_padding_that_does_not_fit_becomes_air(self, tmp_path: Path, padding: int) -> None:
        def pad(dataset: Dataset, index: int) -> None:
            vr = "SS" if padding < 0 else "US"
            dataset.add_new("PixelPaddingValue", vr, padding)
            pixels = np.frombuffer(dataset.PixelData, "<i2").copy()
            pixels[:3] = -32768
            dataset["PixelData"].value = pixels.tobytes()

        volume = read_study(SERIES.write(tmp_path, pad)).volume

        expected = field(places(volume.geometry))
        expected[:, 0, :3] = -1024
        assert np.array_equal(volume.voxels, expected)

    def test_values_beyond_int16_are_refused(self, tmp_path: Path, refuses: Refuses) -> None:
        def change(dataset: Dataset, index: int) -> None:
            dataset.RescaleSlope = 40

        refuses(SERIES.write(tmp_path, change), errors.HounsfieldError, "reach beyond")

    def test_each_slice_has_its_own_rescale(self, tmp_path: Path) -> None:
        def change(dataset: Dataset, index: int) -> None:
            dataset.RescaleIntercept = 0
            dataset.RescaleSlope = index + 1
            pixels = SERIES.hounsfield(index) // (index + 1)
            dataset["PixelData"].value = pixels.astype("<i2").tobytes()

        volume = read_study(SERIES.write(tmp_path, change)).volume

        factor = np.arange(1, 6)[:, None, None]
        exact = field(places(volume.geometry))
        assert np.array_equal(volume.voxels, exact // factor * factor)


class TestCodestreamSize:
    @given(st.binary(max_size=64))
    def test_noise_is_no_image_and_no_crash(self, noise: bytes) -> None:
        for size in (jpeg_size(noise), jpeg_2000_size(noise)):
            assert size is None or len(size) == 2

    def test_jpeg_with_fill_bytes_and_tables_first(self) -> None:
        tables = b"\xff\xc4\x00\x05abc"
        frame = b"\xff\xff\xc3\x00\x0b\x10" + struct.pack(">HH", 300, 200) + b"\x01\x01\x11\x00"

        assert jpeg_size(b"\xff\xd8" + tables + frame) == (300, 200)

    def test_jpeg_2000_subtracts_its_offset(self) -> None:
        siz = struct.pack(">HHHIIII", 0xFF51, 41, 0, 210, 310, 10, 20)

        assert jpeg_2000_size(b"\xff\x4f" + siz) == (290, 200)


def test_zlib_streams_of_files_are_raw(tmp_path: Path) -> None:
    """What the deflated tests rest on: PS3.5, section A.5, a raw stream after the meta group."""
    dataset = SERIES.dataset(0)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    content = save(dataset, tmp_path / "IM.dcm").read_bytes()
    (length,) = struct.unpack("<I", content[140:144])

    assert zlib.decompress(content[144 + length :], -zlib.MAX_WBITS)[:4] == b"\x08\0\x08\0"
