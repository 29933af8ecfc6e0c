"""A regression beyond the noise fails; noise does not; what cannot be compared is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from osteoserve_benchmarks.cli import bench
from osteoserve_benchmarks.comparison.judgement import judge
from osteoserve_benchmarks.comparison.saved import SavedRunError, last_saved, read_run
from osteoserve_benchmarks.document import spread, volume_document
from osteoserve_benchmarks.scaling.document import scaling_document
from osteoserve_benchmarks.throughput.document import throughput_document
from osteoserve_client.errors import InputNotFoundError
from tests.benchmarks.figures import measured
from tests.benchmarks.loads import MACHINE, VERSIONS, measured_throughput
from tests.benchmarks.test_scaling import measured_scaling

QUIET = (3.00, 3.02, 2.97, 3.04, 2.99)
NOISY = (3.0, 3.9, 2.4, 3.3, 2.7)


def times(values: tuple[float, ...], factor: float) -> list[float]:
    return [value * factor for value in values]


def document(ours: list[float], plain: tuple[float, ...] = QUIET, **changes: Any) -> dict[str, Any]:
    """As much of a run of ``osteoserve bench volume`` as is compared."""
    return {
        "slices": 12,
        "spread": {"end_to_end_s": spread(ours), "plain_end_to_end_s": spread(plain)},
        "machine": MACHINE.document(),
        "versions": VERSIONS,
    } | changes


def compared(folder: Path, old: dict[str, Any], new: dict[str, Any]) -> Result:
    for name, run in (("old", old), ("new", new)):
        (folder / f"{name}.json").write_text(json.dumps(run), encoding="utf-8")
    files = [str(folder / "old.json"), str(folder / "new.json")]
    return CliRunner().invoke(bench, ["compare", *files])


def test_slower_beyond_the_noise_fails(tmp_path: Path) -> None:
    result = compared(tmp_path, document(times(QUIET, 1.0)), document(times(QUIET, 1.2)))
    assert result.exit_code == 1
    assert "SLOWER" in result.stdout
    assert "+20.0%" in result.stdout


@pytest.mark.parametrize(
    ("values", "factor"),
    [(QUIET, 1.0), (QUIET, 1.03), (QUIET, 0.5), (NOISY, 1.0), (NOISY, 1.2), (NOISY, 0.8)],
)
def test_noise_and_gain_do_not(tmp_path: Path, values: tuple[float, ...], factor: float) -> None:
    result = compared(tmp_path, document(times(values, 1.0)), document(times(values, factor)))
    assert result.exit_code == 0, result.output
    assert "SLOWER" not in result.stdout
    assert ("faster" in result.stdout) == (factor == 0.5)


def test_the_same_code_seldom_fails_and_a_fifth_seldom_passes() -> None:
    draw = np.random.default_rng(0)

    def rounds(factor: float) -> list[float]:
        return list(factor * np.exp(0.03 * draw.standard_normal(5)))

    def slower(factor: float) -> int:
        return sum(
            judge("it", rounds(1.0), rounds(factor), yardstick=False).slower for _ in range(200)
        )

    assert slower(1.0) <= 4
    assert slower(1.2) >= 196


def test_exchanging_the_runs_exchanges_the_verdict() -> None:
    for factor in (0.7, 0.96, 1.04, 1.3):
        one, other = list(QUIET), times(QUIET, factor)
        there = judge("it", one, other, yardstick=False)
        back = judge("it", other, one, yardstick=False)
        assert there.changed == back.changed == (factor in (0.7, 1.3))
        assert there.slower == (factor == 1.3)
        assert back.slower == (factor == 0.7)


def test_too_few_rounds_are_no_proof_of_anything(tmp_path: Path) -> None:
    result = compared(tmp_path, document([3.0] * 3), document([9.0] * 3))
    assert isinstance(result.exception, SavedRunError)
    assert "too few" in str(result.exception)


@pytest.mark.parametrize(
    "other",
    [
        {"machine": MACHINE.document() | {"cpu": "Another processor"}},
        {"machine": MACHINE.document() | {"cores": 64}},
        {"machine": MACHINE.document() | {"gpu": ["NVIDIA H100, 570.1"]}},
        {"versions": VERSIONS | {"measure": "2"}},
        {"slices": 13},
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, other: dict[str, Any]) -> None:
    result = compared(tmp_path, document([*QUIET]), document([*QUIET], **other))
    assert isinstance(result.exception, SavedRunError)
    assert not result.stdout


def test_other_packages_are_named_and_compared(tmp_path: Path) -> None:
    new = document([*QUIET], versions=VERSIONS | {"python": "3.12"})
    new["machine"] |= {"load_average": 7.5, "system": "Linux 9"}
    result = compared(tmp_path, document([*QUIET]), new)
    assert result.exit_code == 0, result.output
    assert "python: 3.11, then 3.12" in result.stdout
    assert "load before: 0.1, then 7.5" in result.stdout


def test_a_slower_machine_is_no_regression(tmp_path: Path) -> None:
    """The plain way is not ours: where it takes longer, so does everything."""
    slow = tuple(times(QUIET, 1.3))
    result = compared(tmp_path, document([*QUIET]), document([*slow], plain=slow))
    assert isinstance(result.exception, SavedRunError)
    assert "the machine itself" in str(result.exception)
    assert "MACHINE" in result.stdout


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"benchmarks": [], "machine_info": {}}'])
def test_what_is_no_run_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(SavedRunError, match=r"run\.json"):
        read_run(tmp_path / "run.json")


def test_every_command_saves_what_can_be_compared(tmp_path: Path) -> None:
    documents = {
        "volume": volume_document(measured(versions=VERSIONS)),
        "throughput": throughput_document(measured_throughput()),
        "scaling": scaling_document(measured_scaling()),
    }
    series = {}
    for name, run in documents.items():
        (tmp_path / name).write_text(json.dumps(run), encoding="utf-8")
        series[name] = read_run(tmp_path / name).series
    assert series["volume"]["end_to_end_s, slices 12"] == (2.0, 4.0, 3.0)
    closed = "closed_loop.2.seconds_per_volume, slices 12, duration_s 10.0"
    assert series["throughput"] == {closed: (2.5,)}
    assert series["scaling"]["slices.100.end_to_end_s"] == pytest.approx((1.4, 1.5, 1.6))


def test_the_last_run_is_the_one_saved_last(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match="make bench"):
        last_saved(tmp_path)
    files = [tmp_path / "Linux-3.11" / "0007_a.json", tmp_path / "Linux-3.12" / "0001_b.json"]
    for seconds, file in enumerate(files):
        file.parent.mkdir()
        file.touch()
        os.utime(file, (seconds, seconds))
    (tmp_path / "compared.json").touch()
    assert last_saved(tmp_path) == files[1]
    assert last_saved(files[0]) == files[0]


BENCHMARK = """
import time
def test_it(benchmark):
    benchmark.pedantic(time.sleep, args=({seconds},), rounds=5)
"""


def test_runs_of_pytest_benchmark_are_compared(tmp_path: Path) -> None:
    """As `make bench` and `make bench-compare` do, with the repository's own conftest.py."""
    root = Path(__file__).resolve().parents[2]
    conftest = (root / "benchmarks" / "conftest.py").read_text(encoding="utf-8")
    (tmp_path / "conftest.py").write_text(conftest, encoding="utf-8")
    # In the eyes of pytest-benchmark, what a worker starts is a worker too: nothing is timed there.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}

    def run(seconds: float, *options: str) -> None:
        test = BENCHMARK.format(seconds=seconds)
        (tmp_path / "test_it.py").write_text(test, encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--benchmark-only"]
        done = subprocess.run(
            [*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    run(0.1, "--benchmark-autosave", "--benchmark-save-data")
    run(0.5, "--benchmark-json=new.json")
    saved, new = str(tmp_path / ".benchmarks"), str(tmp_path / "new.json")
    assert CliRunner().invoke(bench, ["compare", saved, new]).exit_code == 1
    assert CliRunner().invoke(bench, ["compare", new, new]).exit_code == 0
