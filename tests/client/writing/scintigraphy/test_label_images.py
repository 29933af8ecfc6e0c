"""Label images: programs read labels, people see colours, on the stored grid."""

from __future__ import annotations

import numpy as np
import SimpleITK
from PIL import Image

from osteoserve_client.writing import write_scintigram_outputs
from osteoserve_client.writing.colours import label_colours
from osteoserve_client.writing.output_names import LABEL_IMAGES, NUMBER_IMAGES
from tests.client.writing.scintigraphy.conftest import Case, make_case


def test_each_stored_pixel_has_the_label_that_its_counts_tell(case: Case, tmp_path) -> None:
    write_scintigram_outputs(case.scan, case.labels, case.regions, case.report, tmp_path)
    for n, view in enumerate(case.scan.views):
        frame = case.stored[view.file][view.frame - 1]
        own = frame[:, view.first_column : view.first_column + view.counts.shape[1]] % 11
        with Image.open(tmp_path / LABEL_IMAGES[view.view]) as image:
            assert image.mode == "P"
            assert np.array_equal(image, own)
        with Image.open(tmp_path / NUMBER_IMAGES[view.view]) as image:
            assert np.array_equal(image, np.where(own, own + 10 * n, 0))
    assert len(list(tmp_path.glob("labels_*.png"))) == len(case.scan.views)


def test_the_file_has_eight_bits_a_palette_and_nothing_else(tmp_path) -> None:
    case = make_case("anterior alone")
    write_scintigram_outputs(case.scan, case.labels, case.regions, case.report, tmp_path)
    path = tmp_path / "labels_anterior.png"
    data = path.read_bytes()
    # Bit depth and colour type in the PNG's header: 8 bits, indexed colour.
    assert data[24:26] == bytes([8, 3])
    with Image.open(path) as image:
        assert image.info == {}
        palette = np.asarray(image.getpalette()).reshape(-1, 3)
    assert tuple(palette[0]) == (0, 0, 0)
    for label, colour in label_colours(range(1, 11)).items():
        assert tuple(palette[label]) == colour


def test_another_reader_sees_the_colours(tmp_path) -> None:
    case = make_case("anterior alone")
    write_scintigram_outputs(case.scan, case.labels, case.regions, case.report, tmp_path)
    shown = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(tmp_path / "labels_anterior.png"))
    colours = np.array([(0, 0, 0), *label_colours(range(1, 11)).values()])
    assert np.array_equal(shown[..., :3], colours[case.labels[0]])
