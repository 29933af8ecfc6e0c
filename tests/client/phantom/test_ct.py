"""Laws of the phantom CT: determinism, truth of the labels, sides, independence of the scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK
from scipy import ndimage

from osteoserve_client.phantom import (
    REGIONS,
    PhantomParameters,
    PhantomScan,
    draw_parameters,
    make_ct_phantom,
)
from osteoserve_client.phantom.spine import Spine

# The nominal patient, with nothing that could hide what is asked for.
PLAIN = PhantomParameters(padding_hu=None, external_lines=0, calcifications=0, plaque=0)
COARSE = {"rows": 192, "columns": 192, "pixel_spacing_mm": 2.6}
FINE = {"rows": 256, "columns": 256, "pixel_spacing_mm": 1.9532}


class Probe:
    """Reads single points of slices, by nominal coordinates."""

    def __init__(self, parameters: PhantomParameters) -> None:
        self.scan = PhantomScan(parameters, **FINE)
        self._cut: dict[float, tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]] = {}

    def slice(self, z: float) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
        if z not in self._cut:
            self._cut[z] = self.scan.slice(z * self.scan.scale)
        return self._cut[z]

    def at(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Median HU and mean label of the 3x3 pixels round a point."""
        hu, label = self.slice(z)
        j, i = self.scan.pixel_at(x, y, z)
        box = (slice(j - 1, j + 2), slice(i - 1, i + 2))
        return float(np.median(hu[box])), float(label[box].mean())


@pytest.fixture(scope="module")
def probe() -> Probe:
    return Probe(PLAIN)


def test_the_same_seed_gives_the_same_phantom() -> None:
    first, again = (make_ct_phantom(slices=3, seed=5, **COARSE) for _ in range(2))
    assert np.array_equal(first.volume.voxels, again.volume.voxels)
    assert np.array_equal(first.labels, again.labels)
    other = make_ct_phantom(slices=3, seed=6, **COARSE)
    assert not np.array_equal(first.labels, other.labels)


def test_slices_do_not_depend_on_how_many_there_are() -> None:
    few = make_ct_phantom(slices=2, seed=2, slice_spacing_mm=30, region="pelvis", **COARSE)
    many = make_ct_phantom(slices=5, seed=2, slice_spacing_mm=30, region="pelvis", **COARSE)
    assert np.array_equal(few.volume.voxels, many.volume.voxels[:2])
    assert np.array_equal(few.labels, many.labels[:2])


def test_the_geometry_is_canonical_and_spans_the_region() -> None:
    phantom = make_ct_phantom(slices=4, region="thorax", parameters=PLAIN, **COARSE)
    geometry = phantom.volume.geometry
    low, high = REGIONS["thorax"]
    assert np.array_equal(geometry.direction, np.eye(3))
    assert geometry.shape == (4, 192, 192) == phantom.labels.shape
    assert geometry.spacing == pytest.approx(((high - low) / 4, 2.6, 2.6))
    assert geometry.origin == pytest.approx((-95.5 * 2.6, -95.5 * 2.6, low))
    assert phantom.volume.voxels.dtype == np.int16
    assert phantom.labels.dtype == np.uint8


@pytest.mark.parametrize("seed", range(4))
def test_labels_are_dense_shells_inside_the_patient(seed: int) -> None:
    parameters = replace(draw_parameters(seed), noise_hu=0.0, blur_mm=0.0, hip_implant="none")
    scan = PhantomScan(parameters)
    for z in (700, 890, 1000, 1300, 1640):
        hu, label = scan.slice(z * scan.scale)
        bone = label.astype(bool)
        inner = bone.copy()
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
            inner &= np.roll(bone, step, axis)
        assert bone.any()
        # Most of a bone's rim is compact, and none of it is air.
        assert np.median(hu[bone & ~inner]) > 200
        assert (hu[bone] > -500).mean() > 0.99


@pytest.mark.parametrize("seed", range(4))
def test_no_bone_reaches_the_air_outside(seed: int) -> None:
    parameters = replace(
        draw_parameters(seed), table="none", noise_hu=0.0, external_lines=0, padding_hu=None
    )
    scan = PhantomScan(parameters, **FINE)
    for z in (60, 700, 1300, 1440, 1515, 1545, 1575, 1600):
        hu, label = scan.slice(z * scan.scale)
        air = SimpleITK.GetImageFromArray((hu < -700).astype(np.uint8))
        outside = SimpleITK.GetArrayFromImage(SimpleITK.ConnectedThreshold(air, [(0, 0)], 1, 1))
        touched = outside.astype(bool)
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
            touched |= np.roll(outside.astype(bool), step, axis)
        # Rolling wraps at the border, where an arm may leave the field of view.
        inner = (slice(2, -2), slice(2, -2))
        assert not (label.astype(bool) & touched)[inner].any()


def test_the_table_is_never_bone() -> None:
    heights = (700, 1000, 1300)
    for kind in ("two_shell", "trapezoid", "curved", "flat"):
        with_table = PhantomScan(replace(PLAIN, table=kind, noise_hu=0.0), **COARSE)
        without = PhantomScan(replace(PLAIN, table="none", noise_hu=0.0), **COARSE)
        for z in heights:
            hu, label = with_table.slice(z)
            bare, bare_label = without.slice(z)
            table = hu > bare + 50
            assert table.sum() > 100
            assert not label[table].any()
            assert np.array_equal(label, bare_label)


def test_the_table_lies_behind_a_supine_and_before_a_prone_patient() -> None:
    for prone, side in ((False, 1), (True, -1)):
        parameters = replace(PLAIN, prone=prone, noise_hu=0.0)
        hu, _ = PhantomScan(parameters, **COARSE).slice(1200)
        bare, _ = PhantomScan(replace(parameters, table="none"), **COARSE).slice(1200)
        rows = np.flatnonzero((hu > bare + 50).any(axis=1))
        body = np.flatnonzero((bare > -300).any(axis=1))
        assert side * (rows.mean() - body.mean()) > 0.5 * np.ptp(body)


@pytest.mark.parametrize("level", ["L4", "L1", "T9", "T4", "C5"])
def test_the_spinal_canal_is_soft_and_the_vertebra_before_it_is_bone(
    probe: Probe, level: str
) -> None:
    spine = Spine(PLAIN)
    vertebra = next(v for v in spine.levels if v.name == level)
    x, y = spine.middle(vertebra.middle)
    canal = {"L": 8.0, "T": 7.6, "C": 7.5}[level[0]]
    hu, label = probe.at(x, y + 0.82 * vertebra.half_depth + canal + 0.8, vertebra.middle)
    assert label == 0
    assert -60 < hu < 90
    hu, label = probe.at(x, y, vertebra.middle)
    assert label == 1
    assert 80 < hu < 350


def test_marrow_is_bone_even_where_it_is_fat() -> None:
    probe = Probe(replace(PLAIN, marrow_hu=20.0))
    for x in (-112, 112):
        hu, label = probe.at(x, -8, 690)
        assert label == 1
        assert hu < 60


def test_fat_takes_the_place_of_spongy_bone_and_not_of_its_shell() -> None:
    poor, fat = (
        PhantomScan(replace(PLAIN, marrow_hu=60.0, marrow_fat=share), **FINE).slice(z_mm)
        for z_mm in (PhantomScan(PLAIN, **FINE).scale * 970.0,)
        for share in (0.0, 1.0)
    )
    assert np.array_equal(poor[1], fat[1])
    bone = poor[1] > 0
    change = fat[0].astype(float) - poor[0]
    # The scanner's blur carries a little of it out.
    assert np.abs(change[~ndimage.binary_dilation(bone, iterations=4)]).max() <= 1
    changed = bone & (np.abs(change) > 20)
    assert 0.2 < changed.sum() / bone.sum() < 0.9
    assert np.median(change[changed]) < -50
    dense = bone & (poor[0] > 600)
    assert np.median(np.abs(fat[0][dense] - poor[0][dense])) < 30


def test_left_and_right(probe: Probe) -> None:
    # Small x, low columns: the patient's right, where the liver is; spleen and heart are left.
    liver, _ = probe.at(-70, 0, 1190)
    assert 60 < liver < 160
    stomach_gas, _ = probe.at(48, -50, 1190)
    assert stomach_gas < -500
    assert probe.at(45, -30, 1262)[0] > 0
    assert probe.at(-75, -30, 1290)[0] < -500
    assert probe.scan.pixel_at(-75, -30, 1290)[1] < probe.scan.pixel_at(45, -30, 1262)[1]


def test_bright_vessels_and_kidneys_are_no_bone() -> None:
    probe = Probe(replace(PLAIN, contrast="arterial", contrast_hu=350.0))
    hu, label = probe.at(8, -8, 1090)
    assert hu > 250
    assert label == 0


@pytest.mark.parametrize("noise", [8.0, 25.0])
def test_noise_has_the_level_asked_for(noise: float) -> None:
    # At matrix 512: the pattern is that of a scanner's pixels of about a millimetre.
    noisy, _ = PhantomScan(replace(PLAIN, noise_hu=noise)).slice(1190)
    clean, _ = PhantomScan(replace(PLAIN, noise_hu=0.0)).slice(1190)
    liver = (slice(230, 280), slice(170, 210))
    level = float((noisy[liver].astype(float) - clean[liver]).std())
    assert 0.7 * noise < level < 1.6 * noise


def test_a_thick_slice_averages_thin_ones() -> None:
    ideal = replace(PLAIN, noise_hu=0.0, blur_mm=0.0)
    thin = PhantomScan(ideal, **COARSE)
    thick = PhantomScan(replace(ideal, slice_thickness_mm=5.0), **COARSE)
    parts = [thin.slice(1000 + d)[0].astype(float) for d in (-1.25, 1.25)]
    mean = (parts[0] + parts[1]) / 2
    assert np.abs(thick.slice(1000)[0] - mean).mean() < 1.0


@pytest.mark.parametrize("padding", [-1024, -2000, -3024])
def test_outside_the_circle_there_is_padding_and_no_bone(padding: int) -> None:
    scan = PhantomScan(replace(PLAIN, padding_hu=padding, arm_spread_mm=25.0), **COARSE)
    hu, label = scan.slice(1230)
    x, y = np.meshgrid(scan.columns_mm, scan.rows_mm)
    outside = np.hypot(x, y) > 96 * 2.6
    assert (hu[outside] == padding).all()
    assert not label[outside].any()
    assert (hu[~outside] >= -1024).all()


def test_metal_counts_as_bone() -> None:
    hu, label = PhantomScan(replace(PLAIN, hip_implant="left"), **FINE).slice(890)
    metal = hu > 2800
    assert metal.sum() > 50
    assert label[metal].all()
    assert np.flatnonzero(metal.any(axis=0)).mean() > 128


def test_every_drawn_patient_can_be_made() -> None:
    for seed in range(200):
        assert draw_parameters(seed) == draw_parameters(seed)
    names = {draw_parameters(seed).table for seed in range(200)}
    assert names == {"two_shell", "trapezoid", "curved", "flat", "none"}


@pytest.mark.parametrize(
    "arguments",
    [{"region": "tail"}, {"slices": 0}, {"rows": 0}, {"pixel_spacing_mm": 0.0},
     {"slice_spacing_mm": -1.0}],
)  # fmt: skip
def test_impossible_scans_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"region|tail|positive"):
        make_ct_phantom(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [{"arms": "crossed"}, {"table": "bed"}, {"contrast": "x"}, {"stature_mm": 300.0}]
)
def test_impossible_patients_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"none of|stature_mm"):
        PhantomParameters(**wrong)  # type: ignore[arg-type]
