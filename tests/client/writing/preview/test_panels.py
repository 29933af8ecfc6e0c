"""Which side is which: read from the pixels of the panels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageChops

from osteoserve_client.writing.colours import label_colours
from osteoserve_client.writing.preview.annotation import LEVEL, bar_length, write
from osteoserve_client.writing.preview.display import DisplayVolume, display_volume
from osteoserve_client.writing.preview.panels import GUTTER, axial_slices, projections
from osteoserve_client.writing.preview.projection import project
from osteoserve_client.writing.preview.slices import choose_slices, outline
from osteoserve_preprocessing.geometry import Geometry, Volume

COLOURS = label_colours([1, 2])

#: A cube of 100 mm, whatever the orientation.
SHAPE, SPACING = (20, 25, 40), (5.0, 4.0, 2.5)


def cube(
    direction: npt.NDArray[np.float64],
    lps: tuple[float, float, float] | None = None,
    radius: float = 12.0,
) -> DisplayVolume:
    """Soft tissue with a labelled ball at a place given in the patient, from the cube's centre."""
    geometry = Geometry(SHAPE, SPACING, direction=direction)
    grid = np.moveaxis(np.indices(SHAPE)[::-1], 0, -1)
    places = grid * geometry.spacing[::-1] @ geometry.direction.T
    centre = (np.array(SHAPE[::-1]) - 1) / 2 * geometry.spacing[::-1] @ geometry.direction.T
    labels = np.zeros(SHAPE, np.uint8)
    if lps is not None:
        labels[np.linalg.norm(places - centre - lps, axis=-1) < radius] = 1
    voxels = np.full(SHAPE, 40, np.int16)
    return display_volume(Volume(voxels, geometry), labels)


def paint(panel: Image.Image) -> tuple[float, float]:
    """Where the label's colour lies in a panel: (0, 0) left and top, (1, 1) right and bottom."""
    red, _, blue = (np.asarray(band).astype(int) for band in panel.split())
    rows, columns = np.nonzero(red - blue > 60)
    assert rows.size
    return (columns.mean() + 0.5) / panel.width, (rows.mean() + 0.5) / panel.height


def panels(volume: DisplayVolume) -> dict[str, Image.Image]:
    k = choose_slices(volume, 1)[0]
    (_, coronal), (_, sagittal) = projections(volume, {}, COLOURS, scale=4.0).panels
    ((_, axial),) = axial_slices(volume, {"a": k}, COLOURS, scale=4.0, columns=1).panels
    return {
        "coronal": coronal.crop((GUTTER, 0, *coronal.size)),
        "sagittal": sagittal.crop((GUTTER, 0, *sagittal.size)),
        "axial": axial,
    }


def test_a_ball_at_the_left_front_and_head_appears_there(orientation) -> None:
    shown = panels(cube(orientation, lps=(25, -20, 30)))
    # Fractions of the panel by hand: the cube spans 100 mm, its centre is at 0.5.
    assert paint(shown["coronal"]) == pytest.approx((0.75, 0.20), abs=0.03)
    assert paint(shown["sagittal"]) == pytest.approx((0.30, 0.20), abs=0.03)
    assert paint(shown["axial"]) == pytest.approx((0.75, 0.30), abs=0.03)


@pytest.mark.parametrize(
    ("view", "edges"),
    [("coronal", "RLHF"), ("sagittal", "APHF"), ("axial", "RLAP")],
)
def test_the_letters_name_the_edges(view: str, edges: str) -> None:
    panel = panels(cube(np.eye(3)))[view]
    width, height = panel.size
    left, right, top, bottom = edges
    blank = Image.new("RGB", panel.size, panel.getpixel((width // 4, height // 4)))
    write(blank, (7, height / 2), left, size=20, anchor="lm")
    write(blank, (width - 7, height / 2), right, size=20, anchor="rm")
    write(blank, (width / 2, 5), top, size=20, anchor="ma")
    write(blank, (width / 2, height - 5), bottom, size=20, anchor="md")
    for x, y in ((14, height // 2), (width - 14, height // 2), (width // 2, 14),
                 (width // 2, height - 14)):  # fmt: skip
        box = (x - 13, y - 13, x + 13, y + 13)
        assert ImageChops.difference(panel.crop(box), blank.crop(box)).getbbox() is None
        # The comparison above means something only where there is a letter.
        assert len(panel.crop(box).getcolors()) > 2


def test_panels_have_the_proportions_of_the_patient() -> None:
    voxels = np.zeros((20, 25, 40), np.int16)
    volume = Volume(voxels, Geometry(voxels.shape, (10.0, 2.0, 3.0)))
    shown = panels(display_volume(volume, np.ones(voxels.shape, np.uint8)))
    for name, expected in (("coronal", 120 / 200), ("sagittal", 50 / 200), ("axial", 120 / 50)):
        width, height = shown[name].size
        assert width / height == pytest.approx(expected, rel=0.02)


def test_a_slices_level_is_drawn_where_the_slice_lies() -> None:
    volume = cube(np.eye(3), lps=(0, 0, 30), radius=7)
    k = choose_slices(volume, 1)[0]
    (_, coronal), _ = projections(volume, {"a": k}, COLOURS, scale=4.0).panels
    panel = np.asarray(coronal.crop((GUTTER, 0, *coronal.size))).astype(int)
    column = panel[:, 40]
    line = int(np.argmax(column[:, 2] - column[:, 0]))
    assert column[line, 2] - column[line, 0] > 20
    assert LEVEL[2] > LEVEL[0]
    _, middle = paint(coronal)
    assert line / coronal.height == pytest.approx(middle, abs=0.03)


@pytest.mark.parametrize("view", ["coronal", "sagittal"])
def test_image_and_mask_of_a_projection_lie_on_each_other(orientation, view) -> None:
    volume = cube(orientation, lps=(25, -20, 30))
    volume.voxels[volume.labels == 1] = 900
    projection = project(volume, view)
    assert np.array_equal(projection.maximum == 900, projection.front == 1)
    assert np.array_equal(projection.front == 1, projection.depth > 0)


def test_the_front_label_hides_the_one_behind() -> None:
    labels = np.zeros((6, 8, 10), np.uint8)
    labels[3, 2, 4], labels[3, 6, 4] = 1, 2
    labels[2, 3, 1], labels[2, 3, 8] = 1, 2
    voxels = np.zeros(labels.shape, np.int16)
    volume = display_volume(Volume(voxels, Geometry(labels.shape, (1.0, 1.0, 1.0))), labels)
    # Rows run from the head down: slice k is row 5 - k.
    coronal, sagittal = project(volume, "coronal"), project(volume, "sagittal")
    assert coronal.front[2, 4] == 1
    assert coronal.depth[2, 4] == 2
    # Seen from the patient's left, where x is largest.
    assert sagittal.front[3, 3] == 2
    assert coronal.front[0].max() == 0


def test_an_outline_straddles_the_edge_and_leaves_inside_and_outside_free() -> None:
    mask = np.zeros((20, 20), bool)
    mask[5:15, 5:15] = True
    line = outline(mask)
    assert line[10].nonzero()[0].tolist() == [3, 4, 5, 6, 13, 14, 15, 16]
    assert not outline(np.zeros((4, 4), bool)).any()


@pytest.mark.parametrize(("width", "length"), [(1000.0, 200), (400.0, 100), (99.0, 20), (2.0, 1)])
def test_a_scale_bar_is_a_round_length_within_a_quarter(width: float, length: int) -> None:
    assert bar_length(width) == length


def test_slices_run_from_head_to_feet_through_the_labelled_part() -> None:
    labels = np.zeros((30, 4, 4), np.uint8)
    labels[10:22] = 1
    volume = Volume(np.zeros(labels.shape, np.int16), Geometry(labels.shape, (1.0, 1.0, 1.0)))
    chosen = choose_slices(display_volume(volume, labels), 6)
    assert chosen == (21, 19, 17, 15, 13, 11)
    assert choose_slices(display_volume(volume, labels * 0), 3) == (25, 15, 5)
    few = np.zeros_like(labels)
    few[4:7] = 1
    assert choose_slices(display_volume(volume, few), 6) == (6, 5, 4)
