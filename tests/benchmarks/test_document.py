"""What is said of a measured volume: JSON, tables, plot."""

from __future__ import annotations

import json
import math
import re
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from osteoserve_benchmarks.document import KEYS, spread, volume_document
from osteoserve_benchmarks.machine import Machine, versions
from osteoserve_benchmarks.plot import plot
from osteoserve_benchmarks.terminal import show
from tests.benchmarks.figures import measured

DOCS = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


def test_ratios_are_those_of_the_medians() -> None:
    document = volume_document(measured())
    assert document["end_to_end_s"] == 3.0
    assert document["plain_end_to_end_s"] == 27.0
    assert document["tuned_end_to_end_s"] == 9.0
    assert document["speedup"] == 9.0
    assert document["speedup_tuned"] == 3.0
    assert document["in_process_s"] == 1.5  # 0.5 + 1.0; the wall time of 100 s is not it
    assert document["serving_overhead"] == pytest.approx(1.8 / 1.5)


def test_every_documented_key_is_there_and_no_other() -> None:
    document = volume_document(measured())
    assert tuple(document) == KEYS
    text = DOCS.read_text(encoding="utf-8")
    table = text.partition("## The JSON document")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(KEYS)


def test_every_figure_has_its_machine() -> None:
    machine = volume_document(measured())["machine"]
    assert machine["cpu"]
    assert machine["cores"] > 0
    assert machine["memory_gb"] > 0
    assert "load_average" in machine


def test_a_run_is_described_by_all_its_values() -> None:
    found = spread([4.0, 1.0, 2.0, 3.0, 5.0])
    assert found["values"] == [4.0, 1.0, 2.0, 3.0, 5.0]
    assert (found["min"], found["p50"], found["max"]) == (1.0, 3.0, 5.0)
    assert found["p95"] == pytest.approx(4.8)  # a fifth of the way from the last to the one before
    assert found["p99"] == pytest.approx(4.96)


def test_other_engines_are_not_compared() -> None:
    document = volume_document(measured(same_engine=False))
    assert document["in_process_s"] is None
    assert document["serving_overhead"] is None
    assert tuple(document) == KEYS


def test_what_is_undefined_is_null() -> None:
    document = volume_document(measured(mask_dice={"ours": math.nan, "tuned": math.nan}))
    assert document["mask_dice_vs_plain"] is None
    assert json.loads(json.dumps(document, allow_nan=False))["mask_dice_vs_plain"] is None


@pytest.mark.parametrize("same_engine", [True, False])
@pytest.mark.parametrize("remote", [True, False])
def test_tables_show_ratios_memory_and_machine(same_engine: bool, remote: bool) -> None:
    memory = dict.fromkeys(("ours", "plain", "tuned", "in_process"), 500.0)
    own = {} if remote else {"service": 700.0, "service_idle": 300.0}
    out = StringIO()
    document = volume_document(measured(same_engine=same_engine, peak_rss_mb=memory | own))
    show(document, Console(file=out))
    text = out.getvalue()
    for shown in ("9.00 times faster", "3.00 times than the tuned", "A processor", "~32"):
        assert shown in text
    assert ("1.200 times that" in text) == same_engine
    assert ("700 MB" in text) != remote


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    plot(volume_document(measured()), tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("L").getcolors(256) or ()) > 10


def test_this_machine_is_described() -> None:
    machine = Machine.here()
    assert machine.cpu
    assert machine.cores >= 1
    assert 0.1 < machine.memory_gb < 1e5
    assert versions()["osteoserve"]
    json.dumps(machine.document())
