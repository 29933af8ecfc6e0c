"""Orthanc as scanner and archive: it sends by C-STORE, and finds the mask in the study again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.node.conftest import StartNode
from tests.end_to_end.node.peers import Orthanc, Program, needs_orthanc, password_file, until
from tests.end_to_end.node.studies import another_study


@needs_orthanc
@pytest.mark.slow
@pytest.mark.parametrize("way", ["C-STORE", "STOW-RS"])
def test_a_study_that_orthanc_sends_comes_back_with_its_masks(
    way: str,
    start_node: StartNode,
    started: Callable[[Program], Program],
    service: str,
    ct: Path,
    bone_scan: Path,
    tmp_path: Path,
) -> None:
    orthanc = Orthanc(tmp_path / "orthanc")
    started(orthanc)
    target = (
        ("--send", orthanc.address)
        if way == "C-STORE"
        else ("--stow", orthanc.url, "--stow-password-file", password_file(tmp_path))
    )
    node = start_node("--server", service, "--calling", "ORTHANC", *target)
    orthanc.know_node(node.port)
    for name, source in (("ct", ct), ("scan", bone_scan)):
        another_study(source, tmp_path / name, name)
        orthanc.upload(tmp_path / name)
    assert orthanc.forward_everything()["FailedInstancesCount"] == 0
    masks = until(lambda: orthanc.series("SEG") if len(orthanc.series("SEG")) == 2 else [], "masks")
    images = orthanc.series("CT") + orthanc.series("NM")
    assert {mask["ParentStudy"] for mask in masks} == {image["ParentStudy"] for image in images}
    node.wait_for("outcome=sent", times=2)
    # What an archive forwards again, the mask's study having changed, does not go in circles.
    orthanc.forward_everything()
    node.wait_for("event=again", times=2)
    assert len(orthanc.series("SEG")) == 2
