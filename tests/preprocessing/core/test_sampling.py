from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osteoserve_preprocessing.core import InPlaneSampling, in_plane_sampling
from osteoserve_preprocessing.errors import GeometryError, OptionError
from osteoserve_preprocessing.geometry import Geometry


def sampling(
    rows: int,
    columns: int,
    y: float,
    x: float,
    *,
    nominal: float = 1.0,
    multiple: int = 16,
    cut_to_body: bool = True,
) -> InPlaneSampling:
    geometry = Geometry((2, rows, columns), (3.0, y, x))
    return in_plane_sampling(
        geometry,
        nominal_mm=nominal,
        range_mm=(0.6, 1.3),
        size_multiple=multiple,
        cut_to_body=cut_to_body,
    )


@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    spacing=st.floats(0.6, 1.3),
    multiple=st.sampled_from([1, 4, 16]),
)
def test_inside_the_range_the_way_there_and_back_is_the_identity(
    rows: int, columns: int, spacing: float, multiple: int
) -> None:
    s = sampling(rows, columns, spacing, spacing, multiple=multiple)
    assert not s.resamples
    slices = np.random.default_rng(rows).integers(0, 256, (2, rows, columns)).astype(np.uint8)
    seen = s.forward(slices)
    assert seen.shape == (2, *s.matrix)
    assert all(size % multiple == 0 for size in s.matrix)
    assert all(0 <= size - n < multiple for size, n in zip(s.matrix, (rows, columns), strict=True))
    assert np.array_equal(seen[:, :rows, :columns], slices)
    assert not seen[:, rows:].any()
    assert not seen[:, :, columns:].any()
    assert np.array_equal(s.backward(seen, 255), slices)


def test_the_ends_of_the_range_are_inside() -> None:
    assert not sampling(8, 8, 0.6, 0.6).resamples
    assert not sampling(8, 8, 1.3, 1.3).resamples
    assert sampling(8, 8, 0.599, 0.599).resamples
    assert sampling(8, 8, 1.301, 1.301).resamples
    assert sampling(8, 8, 0.9, 1.0).resamples  # not square


def test_larger_pixels_are_interpolated_at_their_centres() -> None:
    # Pixels of 2 mm with centres at 1, 3, 5 mm; network pixels with centres at 0.5, 1.5 ... mm.
    s = sampling(1, 3, 2.0, 2.0, multiple=1)
    assert s.matrix == (2, 6)
    seen = s.forward(np.tile(np.array([[[0, 100, 200]]], dtype=np.uint8), (2, 1, 1)))
    assert seen[0].tolist() == [[0, 25, 75, 125, 175, 200]] * 2


def test_smaller_pixels_are_averaged_over_their_area() -> None:
    s = sampling(4, 4, 0.5, 0.5, multiple=1)
    slices = np.array([[[0, 10, 200, 255], [20, 30, 200, 254], [9] * 4, [8] * 4]], dtype=np.uint8)
    assert s.matrix == (2, 2)
    # 15; 227.25; 8.5 rounded half up
    assert s.forward(slices)[0].tolist() == [[15, 227], [9, 9]]


@given(st.floats(0.2, 5.0).map(lambda size: round(size, 4)))
def test_spacing_in_single_precision_is_the_same_spacing(size: float) -> None:
    exact = Geometry((1, 64, 48), (2.0, size, 2 * size))
    stored = Geometry((1, 64, 48), (2.0, float(np.float32(size)), float(np.float32(2 * size))))
    options = {"nominal_mm": 1.0, "range_mm": (0.9, 1.1), "size_multiple": 16}
    assert in_plane_sampling(exact, **options) == in_plane_sampling(stored, **options)


def test_each_axis_by_its_own_spacing() -> None:
    s = sampling(4, 3, 0.5, 2.0, multiple=1)
    assert s.matrix == (2, 6)
    slices = np.array([[[0, 100, 200]] * 2 + [[0, 0, 0]] * 2], dtype=np.uint8)
    assert s.forward(slices)[0].tolist() == [[0, 25, 75, 125, 175, 200], [0] * 6]


@pytest.mark.parametrize(("share", "label"), [(1, 0), (2, 1), (3, 1), (4, 1)])
def test_a_pixel_is_labelled_from_half_its_area_on(share: int, label: int) -> None:
    s = sampling(1, 1, 2.0, 2.0, multiple=16)
    labels = np.zeros((1, *s.matrix), dtype=np.uint8)
    for n in range(share):
        labels[0, n // 2, n % 2] = 1
    assert s.backward(labels, 1).tolist() == [[[label]]]


def test_the_label_with_the_largest_share_wins() -> None:
    s = sampling(1, 3, 2.0, 2.0, multiple=1)
    labels = np.array([[[2, 2, 3, 0, 1, 2], [1, 3, 0, 0, 2, 1]]], dtype=np.uint8)
    # 2 has half; background has three quarters; 1 and 2 are tied, and the lower wins.
    assert s.backward(labels, 3).tolist() == [[[2, 0, 1]]]


@given(
    y=st.sampled_from([0.3, 0.45, 0.5, 1.5, 2.0, 3.0]),
    x=st.sampled_from([0.3, 0.45, 0.9766, 1.5, 2.7]),
    value=st.integers(0, 255),
)
def test_what_is_the_same_everywhere_stays_so(y: float, x: float, value: int) -> None:
    s = sampling(23, 31, y, x, nominal=0.9766)
    seen = s.forward(np.full((1, 23, 31), value, dtype=np.uint8))
    rows, columns = s.covered
    assert (seen[:, :rows, :columns] == value).all()
    labels = np.zeros((1, *s.matrix), dtype=np.uint8)
    labels[:, :rows, :columns] = 1
    assert (s.backward(labels, 1) == 1).all()


@pytest.mark.parametrize("spacing", [0.35, 0.5, 1.6, 2.5])
def test_a_disk_comes_back_where_it_was(spacing: float) -> None:
    size = round(120 / spacing)
    s = sampling(size, size, spacing, spacing)
    centres = (np.arange(size) + 0.5) * spacing
    disk = np.hypot(centres[:, None] - 70, centres[None, :] - 40) < 25
    seen = s.forward(np.where(disk, 255, 0).astype(np.uint8)[None])
    back = s.backward((seen >= 128).astype(np.uint8), 1)[0].astype(bool)
    assert 2 * (back & disk).sum() / (back.sum() + disk.sum()) > 0.97
    for axis in (0, 1):
        middle = np.nonzero(back)[axis].mean() - np.nonzero(disk)[axis].mean()
        assert abs(middle) * spacing < 0.15  # mm


@given(st.integers(1, 4))
def test_slices_do_not_know_of_each_other(split: int) -> None:
    s = sampling(20, 20, 0.4, 1.9)
    slices = np.random.default_rng(0).integers(0, 256, (5, 20, 20)).astype(np.uint8)
    parts = [s.forward(slices[:split]), s.forward(slices[split:])]
    assert np.array_equal(s.forward(slices), np.concatenate(parts))


@pytest.mark.parametrize(
    ("nominal", "span", "multiple"),
    [(0.5, (0.6, 1.3), 16), (1.0, (0.0, 1.3), 16), (1.0, (0.6, 0.9), 16), (1.0, (0.6, 1.3), 0)],
)
def test_impossible_samplings_are_refused(
    nominal: float, span: tuple[float, float], multiple: int
) -> None:
    geometry = Geometry((1, 4, 4), (1.0, 1.0, 1.0))
    with pytest.raises(OptionError, match="no sampling"):
        in_plane_sampling(geometry, nominal_mm=nominal, range_mm=span, size_multiple=multiple)


def test_slices_of_another_shape_or_type_are_refused() -> None:
    s = sampling(4, 4, 1.0, 1.0)
    with pytest.raises(GeometryError, match="expected uint8"):
        s.forward(np.zeros((1, 5, 4), dtype=np.uint8))
    with pytest.raises(GeometryError, match="expected uint8"):
        s.forward(np.zeros((1, 4, 4), dtype=np.float32))
    with pytest.raises(OptionError, match="label 9"):
        s.backward(np.full((1, 16, 16), 9, dtype=np.uint8), 3)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[InPlaneSampling, np.ndarray]:
    rows, columns = draw(st.integers(20, 260)), draw(st.integers(20, 260))
    y, x = (draw(st.sampled_from([0.4, 0.8, 2.5])) for _ in range(2))
    slices = np.zeros((2, rows, columns), dtype=np.uint8)
    top, left = draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))
    bottom, right = draw(st.integers(top, rows - 1)), draw(st.integers(left, columns - 1))
    random = np.random.default_rng(rows * 1000 + columns)
    body = slices[:, top : bottom + 1, left : right + 1]
    body[:] = random.integers(1, 255, body.shape)
    return sampling(rows, columns, y, x), slices


@given(bodies())
def test_the_part_around_a_body_is_cut_from_the_whole(
    drawn: tuple[InPlaneSampling, np.ndarray],
) -> None:
    whole, slices = drawn
    around = whole.around(slices)
    assert around.part is not None
    (top, bottom), (left, right) = around.part
    assert all(edge % whole.size_multiple == 0 for edge in (top, bottom, left, right))
    seen = whole.forward(slices)
    assert np.array_equal(around.forward(slices), seen[:, top:bottom, left:right])
    outside = seen.copy()
    outside[:, top:bottom, left:right] = 0
    assert not outside.any(), "nothing of the body is cut away"
    labels = (seen > 120).astype(np.uint8)
    assert np.array_equal(
        around.backward(labels[:, top:bottom, left:right], 1), whole.backward(labels, 1)
    )


def test_a_network_that_sees_slices_as_a_whole_is_shown_all_of_them() -> None:
    whole = sampling(64, 300, 1.0, 1.0, cut_to_body=False)
    slices = np.zeros((1, 64, 300), np.uint8)
    slices[0, 30:34, 100:104] = 9
    assert whole.around(slices) is whole
    around, seen = whole.cut(slices)
    assert np.array_equal(around.backward(seen, 9), slices)
    assert seen.shape == (1, *whole.matrix)


def test_no_body_has_no_part() -> None:
    whole = sampling(64, 64, 1.0, 1.0)
    assert whole.around(np.zeros((3, 64, 64), np.uint8)) is whole


def test_the_part_is_that_of_all_given_slices_together() -> None:
    whole = sampling(200, 300, 1.0, 1.0)
    slices = np.zeros((2, 200, 300), np.uint8)
    slices[0, 100:110, 60:70] = 9
    slices[1, 120:130, 200:210] = 9
    assert whole.around(slices).part == ((64, 176), (16, 256))
    assert whole.around(slices[::-1]) == whole.around(slices)


def test_a_spacing_that_no_ct_has_does_not_take_memory_for_its_matrix() -> None:
    """Half a metre from pixel to pixel would ask for 260,000 rows."""
    geometry = Geometry((1, 512, 512), (1.0, 500.0, 500.0))
    with pytest.raises(GeometryError, match="more than 4096 rows or columns"):
        in_plane_sampling(geometry, nominal_mm=1.0, range_mm=(0.5, 1.5), size_multiple=16)
