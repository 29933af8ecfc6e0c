"""Tables in pages are what their saved runs say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from osteoserve_benchmarks.document import volume_document
from osteoserve_benchmarks.published import generated, markdown
from osteoserve_benchmarks.scaling.document import scaling_document
from osteoserve_benchmarks.throughput.document import throughput_document
from tests.benchmarks.figures import measured
from tests.benchmarks.loads import measured_throughput
from tests.benchmarks.test_scaling import measured_scaling

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_readme_says_what_was_measured() -> None:
    assert generated(README) == README.read_text(encoding="utf-8"), (
        "python -m osteoserve_benchmarks.published README.md"
    )


def test_what_was_typed_between_the_marks_gives_way(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(volume_document(measured())), encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "Before.\n<!-- bench run.json -->\ntyped\n<!-- /bench -->\nAfter.\n", encoding="utf-8"
    )
    text = generated(page)
    assert "typed" not in text
    assert text.startswith("Before.\n<!-- bench run.json -->\n| 12 slices |")
    assert text.endswith("\n<!-- /bench -->\nAfter.\n")
    page.write_text(text, encoding="utf-8")
    assert generated(page) == text


@pytest.mark.parametrize(
    ("document", "row"),
    [
        (
            volume_document(measured()),
            "| plain: PyTorch, slice by slice | 27.00 | 24.00 - 30.00 | 9.0 |",
        ),
        (
            throughput_document(measured_throughput()),
            "| 2 clients | 1440 | 3.50 | 9.10 | 9.82 | 0 |",
        ),
        (scaling_document(measured_scaling()), "| 100 | 1.50 | 120 |"),
    ],
)
def test_every_command_has_a_table_and_a_machine(document: dict[str, object], row: str) -> None:
    table = markdown(document)
    assert row in table.splitlines()
    assert "A processor, 2 cores (avx2), 16 GB; GPU: none; " in table
    assert table.endswith("unet_skeleton version 1, fp32.")
    columns = {line.count("|") for line in table.splitlines() if line.startswith("|")}
    assert len(columns) == 1
