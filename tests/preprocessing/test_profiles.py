"""Which configuration of a model is served, and which suits a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from osteoserve_preprocessing.profiles import (
    chosen_profile,
    computes_bf16,
    configuration_file,
    processor_flags,
)


def cpuinfo(folder: Path, text: str) -> Path:
    (folder / "cpuinfo").write_text(text)
    return folder / "cpuinfo"


@pytest.mark.parametrize("flags", ["avx512f avx512_bf16", "amx_bf16 amx_tile"])
def test_a_cpu_that_multiplies_bf16_is_served_with_it(tmp_path: Path, flags: str) -> None:
    here = cpuinfo(tmp_path, f"processor : 0\nflags : sse4_2 {flags}\n")
    assert computes_bf16(here)
    assert chosen_profile("auto", here) == "bf16"


@pytest.mark.parametrize("text", ["flags : sse4_2 avx2 avx512f\n", "processor : 0\n", ""])
def test_any_other_is_served_in_fp32(tmp_path: Path, text: str) -> None:
    here = cpuinfo(tmp_path, text)
    assert not computes_bf16(here)
    assert chosen_profile("auto", here) == "cpu"


@pytest.mark.parametrize("profile", ["cpu", "bf16", "gpu", "tensorrt"])
def test_what_was_asked_for_by_name_is_served_by_that_name(tmp_path: Path, profile: str) -> None:
    for flags in ("avx2", "avx512_bf16"):
        assert chosen_profile(profile, cpuinfo(tmp_path, f"flags : {flags}\n")) == profile


def test_instructions_of_an_arm_processor_are_read_too(tmp_path: Path) -> None:
    here = cpuinfo(tmp_path, "processor : 0\nFeatures : fp asimd\n")
    assert processor_flags(here) == {"fp", "asimd"}


def test_the_file_of_a_profile_is_the_one_that_triton_takes(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "gpu.pbtxt").touch()
    assert configuration_file(tmp_path, "gpu") == tmp_path / "configs" / "gpu.pbtxt"
    assert configuration_file(tmp_path, "bf16") == tmp_path / "config.pbtxt"
