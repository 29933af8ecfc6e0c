"""The labels of a model's output, and what they mean in a coding scheme."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from osteoserve_preprocessing.errors import ContractError

_PARAMETER = "parameter osteoserve.labels"


@dataclass(frozen=True)
class Code:
    """A coded concept (DICOM PS3.3 section 8.8).

    Args:
        value: Code Value, such as "272673000".
        scheme: Coding Scheme Designator, such as "SCT" for SNOMED CT.
        meaning: Code Meaning, such as "Bone".
    """

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class Label:
    """What one value of a label map means.

    Args:
        value: 1..255; 0 is background.
        name: Short name, such as "skeleton".
        category: Segmented Property Category (DICOM PS3.3 C.8.20.2).
        type: Segmented Property Type (DICOM PS3.3 C.8.20.2).

    Raises:
        ContractError: The value is out of range, or name or code is empty.
    """

    value: int
    name: str
    category: Code
    type: Code

    def __post_init__(self) -> None:
        if not 1 <= self.value <= 255:
            raise ContractError(f"{_PARAMETER}: a label's value must be 1..255, not {self.value}")
        words = (self.name, *_triple(self.category), *_triple(self.type))
        if not all(isinstance(word, str) and word for word in words):
            raise ContractError(f"{_PARAMETER}: label {self.value} needs a name and two codes")


def labels_to_json(labels: tuple[Label, ...]) -> str:
    """Labels as the JSON list that stands in config.pbtxt."""
    return json.dumps(
        [
            {
                "value": label.value,
                "name": label.name,
                "category": _triple(label.category),
                "type": _triple(label.type),
            }
            for label in labels
        ]
    )


def labels_from_json(text: str) -> tuple[Label, ...]:
    """The inverse of `labels_to_json`.

    Raises:
        ContractError: The text is no JSON list of labels.
    """
    try:
        return tuple(_label(item) for item in json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, ContractError):
            raise
        raise ContractError(
            f'{_PARAMETER} must be a JSON list of {{"value", "name", "category": '
            '[value, scheme, meaning], "type": [value, scheme, meaning]}'
        ) from error


def _label(item: dict[str, Any]) -> Label:
    value = item["value"]
    if isinstance(value, bool) or not isinstance(value, int):
        raise ContractError(f"{_PARAMETER}: a label's value must be an integer, not {value!r}")
    return Label(value, item["name"], Code(*item["category"]), Code(*item["type"]))


def _triple(code: Code) -> list[str]:
    return [code.value, code.scheme, code.meaning]
