"""DICOM files as validators see them."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import pydicom
import pytest
from dicom_validator.validator.dicom_file_validator import DicomFileValidator
from dicom_validator.validator.dicom_info import DicomInfo
from pydicom.datadict import tag_for_keyword

Module = dict[str, str]


def tables_of_highdicom(
    iod: str, title: str, sop_class: str, *, included: Callable[[Module], bool] = lambda _: True
) -> DicomInfo:
    """Modules of an IOD, from the copy of PS3.3 that highdicom carries.

    It knows which attributes there are, how they nest and their types, but not the conditions
    of types 1C and 2C.

    Args:
        iod: highdicom's name of the IOD.
        title: The standard's.
        sop_class: UID of the SOP class.
        included: Which modules to look at.
    """
    folder = Path(highdicom.__file__).parent / "_standard"
    modules = json.loads((folder / "module_attribute_map.json").read_text())
    iods = json.loads((folder / "iod_module_map.json").read_text())
    used = {module["key"]: module["usage"] for module in iods[iod] if included(module)}
    description = {
        "title": title,
        "modules": {key: {"ref": key, "use": usage} for key, usage in used.items()},
        "group_macros": {},
    }
    return DicomInfo(
        dictionary={},
        iods={sop_class: description},
        modules={key: _nested(modules[key]) for key in used},
    )


def module_errors(path: Path, info: DicomInfo, sop_class: str) -> dict[str, Any]:
    """What dicom-validator finds wrong in a file, by module."""
    mode = pydicom.config.settings._reading_validation_mode
    try:
        (result,) = DicomFileValidator(info, log_level=logging.CRITICAL).validate(path).values()
    finally:
        # The validator sets it for the whole process.
        pydicom.config.settings._reading_validation_mode = mode
    assert result.sop_class_uid == sop_class
    return {str(module): found for module, found in result.module_errors.items()}


def dciodvfy_errors(path: Path, iod: str) -> list[str]:
    """What dciodvfy finds wrong in a file, which it must take for that IOD; skips without it."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy is absent: apt-get install dicom3tools")
    done = subprocess.run([program, path], capture_output=True, text=True, check=False)
    assert iod in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


def without_synthetic_data(errors: list[str]) -> list[str]:
    """Synthetic Data (0008,001C) came into the standard after Debian's dicom3tools of 2022."""
    return [line for line in errors if "0x0008,0x001c" not in line]


def _nested(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for attribute in attributes:
        level = root
        for keyword in attribute["path"]:
            level = level[_name_of(keyword)].setdefault("items", {})
        in_group = attribute["path"][:1] in (
            ["SharedFunctionalGroupsSequence"],
            ["PerFrameFunctionalGroupsSequence"],
        )
        # A macro stands in one of the two groups, which this table cannot express.
        kind = "3" if in_group and len(attribute["path"]) == 1 else attribute["type"]
        # An attribute may stand twice in a module; the first keeps its items.
        entry = {"type": kind, "name": attribute["keyword"]}
        level.setdefault(_name_of(attribute["keyword"]), entry)
    return root


def _name_of(keyword: str) -> str:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
