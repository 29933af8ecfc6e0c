"""``osteoserve bench`` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from osteoserve_benchmarks.cli import bench
from osteoserve_benchmarks.document import KEYS
from osteoserve_benchmarks.files import model_folder, phantom_study
from osteoserve_benchmarks.in_process import InProcess
from osteoserve_benchmarks.options import check_packages
from osteoserve_benchmarks.workers import Worker
from osteoserve_client.errors import OutputError, ServiceUnavailableError
from osteoserve_preprocessing.profiles import chosen_profile, computes_bf16, configuration_file


@pytest.mark.slow
def test_one_volume_by_every_way(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    result = CliRunner().invoke(
        bench, ["volume", "--slices", "8", "--rounds", "1", "--json", str(file)]
    )
    assert result.exit_code == 0, result.output
    document = json.loads(file.read_text(encoding="utf-8"))
    assert tuple(document) == KEYS
    assert document["slices"] == 8
    assert document["mask_dice_vs_plain"] >= 0.99
    assert document["speedup"] == document["plain_end_to_end_s"] / document["end_to_end_s"]
    assert document["speedup_tuned"] == document["tuned_end_to_end_s"] / document["end_to_end_s"]
    ours = document["stages"]["ours"]
    inside = sum(seconds for name, seconds in ours.items() if name.startswith("service."))
    assert 0 < inside <= ours["service"]
    assert ours["read"] + ours["service"] + ours["write"] <= document["end_to_end_s"]
    assert document["serving_overhead"] == pytest.approx(ours["service"] / document["in_process_s"])
    assert 0 < document["floor_s"] < document["end_to_end_s"]
    memory = document["peak_rss_mb"]
    assert 0 < memory["service_idle"] < memory["service"]
    assert file.with_suffix(".png").stat().st_size > 0
    assert "times faster than the plain way" in result.stdout


@pytest.mark.slow
def test_without_a_service_nothing_is_measured() -> None:
    result = CliRunner().invoke(bench, ["volume", "--slices", "4", "--server", "127.0.0.1:1"])
    assert isinstance(result.exception, ServiceUnavailableError)
    assert "phantom" not in result.output


def test_what_could_not_be_written_is_refused_first(tmp_path: Path) -> None:
    target = str(tmp_path / "absent" / "out.json")
    result = CliRunner().invoke(bench, ["volume", "--json", target])
    assert isinstance(result.exception, OutputError)
    assert not result.output


def test_absent_packages_are_named_in_one_line() -> None:
    with pytest.raises(click.UsageError, match=r"needs no_such_package, .*osteoserve\[bench\]"):
        check_packages("volume", ("json", "no_such_package"))


def test_a_worker_is_another_process_and_raises_what_its_way_raises(tmp_path: Path) -> None:
    study = phantom_study(2, tmp_path / "study", region="pelvis")
    with Worker(_Failing) as worker:
        with pytest.raises(RuntimeError, match="this way fails on study"):
            worker.run(study, tmp_path)
        assert worker.peak_rss_mb() > 0


@pytest.mark.parametrize("profile", ["auto", "cpu"])
def test_the_engine_in_process_is_the_one_that_is_configured(profile: str) -> None:
    version, precision, digest = InProcess(model_folder(), profile).served()
    configured = configuration_file(model_folder(), chosen_profile(profile))
    in_bf16 = profile == "auto" and computes_bf16()
    assert (version, precision) == ("1", "bf16" if in_bf16 else "fp32")
    assert digest in configured.read_text(encoding="utf-8")


class _Failing:
    def run(self, study: Path, out: Path) -> dict[str, float]:
        raise RuntimeError(f"this way fails on {study.name}, and leaves nothing in {out.name}")
