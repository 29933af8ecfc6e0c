"""Lines through time and memory, on made-up points; and once for real."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image
from rich.console import Console

from osteoserve_benchmarks.cli import bench
from osteoserve_benchmarks.scaling.document import KEYS, POINT_KEYS, scaling_document
from osteoserve_benchmarks.scaling.line import Line
from osteoserve_benchmarks.scaling.measure import Point, Scaling
from osteoserve_benchmarks.scaling.plot import plot
from osteoserve_benchmarks.scaling.terminal import show
from osteoserve_benchmarks.workers import Run
from tests.benchmarks.documentation import documented_keys
from tests.benchmarks.loads import MACHINE, VERSIONS

SIZES = (50, 100, 200)


def measured_scaling(**changes: Any) -> Scaling:
    """10 ms a slice and half a second, one tenth more or less; 1 MB a slice and 20."""
    points = tuple(
        Point(
            slices=size,
            runs=tuple(
                Run(0.5 + 0.01 * size + more, {"read": 0.25, "service": 0.01 * size})
                for more in (-0.1, 0.0, 0.1)
            ),
            idle_mb=300.0,
            peak_mb=300.0 + 20.0 + size,
            client_peak_mb=400.0,
        )
        for size in SIZES
    )
    stated: dict[str, Any] = {
        "rounds": 3,
        "points": points,
        "machine": MACHINE,
        "versions": VERSIONS,
    }
    return Scaling(**(stated | changes))


def test_the_line_is_the_one_that_the_points_lie_on() -> None:
    line = Line.through([50, 100, 200, 400], [1.0, 1.5, 2.5, 4.5])
    assert line is not None
    assert line.per_slice == pytest.approx(0.01)
    assert line.intercept == pytest.approx(0.5)
    assert line.r_squared == pytest.approx(1.0)
    assert line.largest_deviation == pytest.approx(0.0, abs=1e-9)


def test_what_grows_with_the_square_is_no_line() -> None:
    sizes = [50, 100, 200, 400, 800, 1600]
    line = Line.through(sizes, [1e-4 * size**2 for size in sizes])
    assert line is not None
    assert line.r_squared < 0.96
    assert line.largest_deviation > 1.0


def test_one_size_has_no_line() -> None:
    assert Line.through([50, 50], [1.0, 1.1]) is None
    assert Line.through([], []) is None


def test_every_documented_key_is_there_and_no_other() -> None:
    document = scaling_document(measured_scaling())
    assert tuple(document) == KEYS == documented_keys("bench scaling")
    for point in document["points"]:
        assert tuple(point) == POINT_KEYS == documented_keys("A point")
    json.dumps(document, allow_nan=False)


def test_points_are_medians_and_the_line_is_through_all() -> None:
    document = scaling_document(measured_scaling())
    assert [point["end_to_end_s"] for point in document["points"]] == [1.0, 1.5, 2.5]
    assert [point["above_idle_mb"] for point in document["points"]] == [70.0, 120.0, 220.0]
    time, memory = document["fit"]["end_to_end_s"], document["fit"]["above_idle_mb"]
    assert time["per_slice"] == pytest.approx(0.01)
    assert time["intercept"] == pytest.approx(0.5)
    assert 0.9 < time["r_squared"] < 1.0
    assert time["largest_deviation"] == pytest.approx(0.1 / 0.9)
    assert (memory["per_slice"], memory["intercept"]) == pytest.approx((1.0, 20.0))


@pytest.mark.parametrize("remote", [True, False])
def test_tables_and_plot_show_what_is_known(remote: bool, tmp_path: Path) -> None:
    points = measured_scaling().points
    if remote:
        points = tuple(Point(**(vars(p) | {"idle_mb": None, "peak_mb": None})) for p in points)
    document = scaling_document(measured_scaling(points=points))
    assert (document["fit"]["above_idle_mb"] is None) == remote
    out = StringIO()
    show(document, Console(file=out))
    text = out.getvalue()
    assert "…" not in text
    assert "0.01000 s a slice" in text
    assert ("1.00000 MB a slice" in text) != remote
    plot(document, tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        assert len(picture.convert("L").getcolors(256) or ()) > 10


@pytest.mark.slow
def test_two_sizes(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    words = ["--slices", "4,16", "--rounds", "1", "--json", str(file)]
    result = CliRunner().invoke(bench, ["scaling", *words])
    assert result.exit_code == 0, result.output
    document = json.loads(file.read_text(encoding="utf-8"))
    assert tuple(document) == KEYS
    assert document["slices"] == [4, 16]
    small, large = document["points"]
    # The volume itself, and its label map, must be somewhere.
    assert large["above_idle_mb"] > 16 * 512 * 512 * 3 / 1e6
    assert small["above_idle_mb"] < large["above_idle_mb"]
    assert document["fit"]["above_idle_mb"]["per_slice"] > 0
    assert set(small["stages"]) >= {"read", "service", "write", "service.inference"}
    assert {path.name for path in tmp_path.iterdir()} == {"out.json", "out.png"}
