from __future__ import annotations

from pathlib import Path

import pytest

from osteoserve_preprocessing.errors import TritonStartError
from osteoserve_preprocessing.triton.repository import (
    check_repository,
    link_models,
    model_folders,
)


def add_model(repository: Path, name: str, *profiles: str) -> None:
    (repository / name / "configs").mkdir(parents=True)
    (repository / name / "config.pbtxt").touch()
    for profile in profiles:
        (repository / name / "configs" / f"{profile}.pbtxt").touch()


def test_models_are_folders_with_a_configuration(tmp_path: Path) -> None:
    add_model(tmp_path, "b")
    add_model(tmp_path, "a")
    (tmp_path / "notes").mkdir()
    assert [folder.name for folder in model_folders(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("profiles", "profile"), [((), "cpu"), (("cpu",), "cpu"), (("cpu", "gpu"), "gpu")]
)
def test_a_model_with_the_profile_is_taken(
    tmp_path: Path, profiles: tuple[str, ...], profile: str
) -> None:
    add_model(tmp_path, "a", *profiles)
    check_repository(tmp_path, profile)


def test_in_bf16_a_model_without_it_is_served_as_on_any_cpu(tmp_path: Path) -> None:
    add_model(tmp_path, "proved", "bf16", "cpu")
    add_model(tmp_path, "detector", "cpu", "gpu")
    add_model(tmp_path, "plain")
    check_repository(tmp_path, "bf16")


def test_in_bf16_no_model_is_served_otherwise_than_on_any_cpu(tmp_path: Path) -> None:
    """Triton would take config.pbtxt, and leave out what was changed for the CPU."""
    add_model(tmp_path, "detector", "cpu")
    (tmp_path / "detector" / "configs" / "cpu.pbtxt").write_text("changed")
    check_repository(tmp_path, "cpu")
    with pytest.raises(TritonStartError, match=r"detector .*config\.pbtxt.*--profile cpu"):
        check_repository(tmp_path, "bf16")


@pytest.mark.parametrize(("profiles", "profile"), [((), "gpu"), (("gpu",), "cpu")])
def test_a_model_without_it_is_refused(
    tmp_path: Path, profiles: tuple[str, ...], profile: str
) -> None:
    """Triton would take config.pbtxt, and so perhaps another engine, without a word."""
    add_model(tmp_path, "good", profile)
    add_model(tmp_path, "lacking", *profiles)
    with pytest.raises(TritonStartError, match="lacking"):
        check_repository(tmp_path, profile)


def test_an_empty_or_absent_repository_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(TritonStartError, match="no model"):
            check_repository(folder, "cpu")


def test_only_what_is_asked_for_must_have_the_profile(tmp_path: Path) -> None:
    add_model(tmp_path, "good", "gpu")
    add_model(tmp_path, "lacking", "cpu")
    check_repository(tmp_path, "gpu", ["good"])
    with pytest.raises(TritonStartError, match=r"no model absent in .*it has: good, lacking"):
        check_repository(tmp_path, "gpu", ["absent"])


def test_links_lead_to_the_models_asked_for(tmp_path: Path) -> None:
    add_model(tmp_path / "all", "a")
    add_model(tmp_path / "all", "b")
    some = link_models(tmp_path / "all", ["b"], tmp_path / "some")
    assert [folder.name for folder in model_folders(some)] == ["b"]
