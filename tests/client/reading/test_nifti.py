"""NIfTI: voxels stay in the file's order, the patient's frame becomes LPS, doubt is refused."""

from __future__ import annotations

import gzip
from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest

import osteoserve_client.errors as errors
from osteoserve_client.reading import list_series, read_study
from tests.client.reading.conftest import Refuses
from tests.client.reading.ct_series import CANARY, field, places

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SHAPE = (7, 6, 5)  # (X, Y, Z)
ORIENTATIONS = list(product(permutations(range(3)), product((1, -1), repeat=3)))


def ras_affine(
    order: tuple[int, ...] = (0, 1, 2), signs: tuple[int, ...] = (1, 1, 1)
) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, list(order)] * np.array(signs) * np.array([1, 2, 3])
    affine[:3, 3] = (4, -3, 2)
    return affine


def image(affine: np.ndarray | None = None, dtype: str = "<i2") -> nibabel.Nifti1Image:
    """The field on a grid, as a scanner's converter would write it: scanner codes in both forms."""
    affine = ras_affine() if affine is None else affine
    i, j, k = np.indices(SHAPE)
    where = np.stack([i, j, k, np.ones_like(i)], axis=-1) @ (RAS_TO_LPS @ affine).T
    written = nibabel.Nifti1Image(field(where[..., :3]).astype(dtype), affine)
    written.set_sform(affine, code=1)
    written.set_qform(affine, code=1)
    written.header["descrip"] = CANARY.encode()
    written.header["db_name"] = CANARY.encode()
    written.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", CANARY.encode()))
    return written


def save(written: nibabel.Nifti1Image, folder: Path, name: str = "ct.nii.gz") -> Path:
    nibabel.save(written, folder / name)
    return folder / name


def test_there_are_48_orientations() -> None:
    assert len(ORIENTATIONS) == 48


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_voxels_lie_where_the_affine_says(
    tmp_path: Path, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    written = image(ras_affine(order, signs))

    volume = read_study(save(written, tmp_path)).volume

    assert volume.geometry.shape == SHAPE[::-1]
    assert np.array_equal(volume.voxels, np.asarray(written.dataobj).T)
    assert np.array_equal(volume.voxels, field(places(volume.geometry)))


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz", "CT.NII.GZ"])
@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<i4", "<f4", "<f8", ">f4"])
def test_every_number_type_and_byte_order_reads_the_same(
    tmp_path: Path, name: str, dtype: str
) -> None:
    volume = read_study(save(image(dtype=dtype), tmp_path, name)).volume

    assert volume.voxels.dtype == np.int16
    assert np.array_equal(volume.voxels, field(places(volume.geometry)))


def test_slope_and_intercept_are_honoured_and_rounded(tmp_path: Path) -> None:
    written = image(dtype="<i2")
    hounsfield = np.asarray(written.dataobj)
    stored = nibabel.Nifti1Image((hounsfield + 1024).astype(np.uint16), written.affine)
    stored.header.set_slope_inter(1.0, -1024.0)
    path = save(stored, tmp_path)
    # nibabel rescales what it saves; put the stored numbers in as they are.
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[352:] = (hounsfield + 1024).astype("<u2").tobytes(order="F")
    content[112:120] = np.array([1.0, -1024.3], dtype="<f4").tobytes()
    plain = tmp_path / "stored.nii"
    plain.write_bytes(content)

    assert np.array_equal(read_study(plain).volume.voxels, hounsfield.T)


def test_a_saved_mask_has_exactly_the_affine_of_its_source(tmp_path: Path) -> None:
    affine = ras_affine((2, 0, 1), (-1, 1, -1))
    affine[:3, 3] += 0.1234567
    written = image(affine)
    written.set_sform(affine, code=2)
    study = read_study(save(written, tmp_path))

    mask = nibabel.Nifti1Image(np.zeros(SHAPE, np.uint8), None, header=study.image)
    nibabel.save(mask, tmp_path / "mask.nii.gz")

    source, saved = nibabel.load(tmp_path / "ct.nii.gz"), nibabel.load(tmp_path / "mask.nii.gz")
    assert np.array_equal(source.affine, saved.affine)
    for fields in ("sform_code", "qform_code", "srow_x", "srow_y", "srow_z", "quatern_b", "pixdim"):
        assert np.array_equal(source.header[fields], saved.header[fields])
    assert CANARY.encode() not in gzip.decompress((tmp_path / "mask.nii.gz").read_bytes())


def test_a_single_form_is_enough(tmp_path: Path) -> None:
    for form in ("sform", "qform"):
        written = image()
        other = written.set_qform if form == "sform" else written.set_sform
        other(None, code=0)

        volume = read_study(save(written, tmp_path, f"{form}.nii")).volume
        assert np.array_equal(volume.voxels, field(places(volume.geometry)))


def test_a_qform_that_lost_digits_near_half_a_turn_agrees(tmp_path: Path) -> None:
    angle = np.pi - 2e-4
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine[:3, 3] = (4, -3, 2)
    written = nibabel.Nifti1Image(np.arange(-300, 300).reshape(5, 10, 12).astype("<i2"), affine)
    written.set_sform(affine, code=1)
    written.set_qform(affine, code=1)

    assert np.abs(written.get_qform() - affine).max() < 1e-3
    read_study(save(written, tmp_path))


def test_trailing_axes_of_one_are_none(tmp_path: Path) -> None:
    flat = image()
    written = nibabel.Nifti1Image(np.asarray(flat.dataobj)[..., None, None], flat.affine)

    assert read_study(save(written, tmp_path)).volume.geometry.shape == (5, 6, 7)


def test_progress_counts_slices(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    read_study(save(image(), tmp_path), on_progress=lambda *one: seen.append(one))

    assert seen == [(done, 5) for done in range(1, 6)]


class TestRefusals:
    @pytest.mark.parametrize("shift", [0.5, -2.0])
    def test_forms_that_disagree_in_place(
        self, tmp_path: Path, refuses: Refuses, shift: float
    ) -> None:
        written, other = image(), ras_affine()
        other[0, 3] += shift
        written.set_qform(other, code=1)

        refuses(save(written, tmp_path), errors.AffineError, "ct.nii.gz: sform and qform disagree")

    def test_forms_that_disagree_in_direction(self, tmp_path: Path, refuses: Refuses) -> None:
        written = image()
        written.set_qform(ras_affine(signs=(-1, 1, 1)), code=1)

        refuses(save(written, tmp_path), errors.AffineError, "disagree")

    def test_no_form_at_all(self, tmp_path: Path, refuses: Refuses) -> None:
        written = image()
        written.set_qform(None, code=0)
        written.set_sform(None, code=0)

        refuses(save(written, tmp_path), errors.AffineError, "neither sform nor qform")

    @pytest.mark.parametrize("shear", [0.1, 5.0])
    def test_a_sheared_affine(self, tmp_path: Path, refuses: Refuses, shear: float) -> None:
        affine = ras_affine()
        affine[1, 2] = shear
        written = image()
        written.set_qform(None, code=0)
        written.set_sform(affine, code=1)

        refuses(save(written, tmp_path), errors.AffineError, "not orthonormal")

    @pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
    def test_an_affine_of_no_numbers(self, tmp_path: Path, refuses: Refuses, bad: float) -> None:
        written = image()
        written.set_qform(None, code=0)
        path = save(written, tmp_path, "ct.nii")
        content = bytearray(path.read_bytes())
        for row in (280, 296, 312):  # srow_x, srow_y, srow_z
            content[row : row + 4] = np.array(bad, dtype="<f4").tobytes()
        path.write_bytes(content)

        refuses(path, errors.AffineError, "ct.nii")

    def test_metres(self, tmp_path: Path, refuses: Refuses) -> None:
        written = image()
        written.header.set_xyzt_units("meter")

        refuses(save(written, tmp_path), errors.AffineError, "not mm")

    def test_a_unit_that_there_is_not(self, tmp_path: Path, refuses: Refuses) -> None:
        """Found by fuzzing: nibabel raised KeyError."""
        written = image()
        written.header["xyzt_units"] = 4

        refuses(save(written, tmp_path), errors.AffineError, "none that there is")

    def test_several_volumes(self, tmp_path: Path, refuses: Refuses) -> None:
        one = image()
        written = nibabel.Nifti1Image(np.stack([np.asarray(one.dataobj)] * 2, -1), one.affine)

        refuses(save(written, tmp_path), errors.DimensionError, "7x6x5x2")

    def test_a_plane(self, tmp_path: Path, refuses: Refuses) -> None:
        written = nibabel.Nifti1Image(np.zeros((7, 6), np.int16), ras_affine())

        refuses(save(written, tmp_path), errors.DimensionError, "7x6")

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_numbers_that_are_none(self, tmp_path: Path, refuses: Refuses, bad: float) -> None:
        written = image(dtype="<f4")
        np.asarray(written.dataobj)[1, 2, 3] = bad

        refuses(save(written, tmp_path), errors.HounsfieldError, "slice 4: holds NaN or infinite")

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            (np.linspace(0, 1, 210), "none below 0"),
            (np.linspace(0, 255, 210), "none below 0"),
            (np.linspace(-3, 9, 210), "normalised"),
            (np.linspace(-1000, 40000, 210), "reach beyond"),
        ],
    )
    def test_values_that_cannot_be_hu(
        self, tmp_path: Path, refuses: Refuses, values: np.ndarray, words: str
    ) -> None:
        written = nibabel.Nifti1Image(values.reshape(SHAPE).astype("<f4"), ras_affine())

        refuses(save(written, tmp_path), errors.HounsfieldError, words)

    def test_colours(self, tmp_path: Path, refuses: Refuses) -> None:
        pixels = np.zeros(SHAPE, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])

        refuses(
            save(nibabel.Nifti1Image(pixels, ras_affine()), tmp_path),
            errors.PixelFormatError,
            "no plain numbers",
        )

    @pytest.mark.parametrize("cut", [-1, -30, 600])
    def test_voxels_that_break_off(self, tmp_path: Path, refuses: Refuses, cut: int) -> None:
        path = save(image(), tmp_path, "ct.nii")
        path.write_bytes(path.read_bytes()[:cut])

        refuses(path, errors.PixelDataError, "ct.nii: its voxels are truncated")

    def test_compressed_voxels_that_break_off(self, tmp_path: Path, refuses: Refuses) -> None:
        noise = np.random.default_rng(0).integers(-1000, 1000, (64, 64, 8)).astype("<i2")
        path = save(nibabel.Nifti1Image(noise, ras_affine()), tmp_path)
        path.write_bytes(path.read_bytes()[:-100])

        refuses(path, errors.PixelDataError, "ct.nii.gz: its voxels are truncated")

    @pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
    @pytest.mark.parametrize("cut", [200, 0])
    def test_a_header_that_breaks_off(
        self, tmp_path: Path, refuses: Refuses, name: str, cut: int
    ) -> None:
        path = save(image(), tmp_path, name)
        path.write_bytes(path.read_bytes()[:cut])

        refuses(path, errors.UnreadableFileError, f"{name}: cannot be read as NIfTI")

    @pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
    def test_a_file_that_holds_more_than_it_declares(
        self, tmp_path: Path, refuses: Refuses, name: str
    ) -> None:
        path = save(image(), tmp_path, name)
        more = bytes(1 << 20)
        content = path.read_bytes()
        content = (
            gzip.compress(gzip.decompress(content) + more) if name[-1] == "z" else content + more
        )
        path.write_bytes(content)

        refuses(path, errors.PixelDataError, "holds more than")

    def test_a_header_that_claims_more_than_memory(self, tmp_path: Path, refuses: Refuses) -> None:
        path = save(image(), tmp_path, "ct.nii")
        content = bytearray(path.read_bytes())
        content[42:48] = np.array([30000, 30000, 30000], dtype="<i2").tobytes()
        path.write_bytes(content)

        refuses(path, errors.PixelDataError, "30000x30000x30000 voxels")

    def test_a_file_of_another_format(self, tmp_path: Path, refuses: Refuses) -> None:
        path = tmp_path / "ct.nii"
        path.write_bytes(b"nothing of the kind" * 30)

        refuses(path, errors.UnreadableFileError, "ct.nii: cannot be read as NIfTI")

    def test_a_choice_of_series(self, tmp_path: Path, refuses: Refuses) -> None:
        path = save(image(), tmp_path)

        refuses(path, errors.UsageError, "no series to choose from", series="2")
        with pytest.raises(errors.NoImageError):
            list_series(path)


def test_a_slope_without_an_intercept_is_refused(tmp_path: Path, refuses: Refuses) -> None:
    """Found by fuzzing: nibabel has an error of its own for it."""
    content = bytearray(gzip.decompress(save(image(), tmp_path).read_bytes()))
    content[112:120] = np.array([1.0, np.nan], dtype="<f4").tobytes()
    plain = tmp_path / "stored.nii"
    plain.write_bytes(content)

    refuses(plain, errors.UnreadableFileError, "are not both numbers")
