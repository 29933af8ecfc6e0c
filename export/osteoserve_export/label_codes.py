"""Labels of a model that is exported, with the codes that a segmentation object needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from osteoserve_export.errors import SpecificationError
from osteoserve_preprocessing.errors import ContractError
from osteoserve_preprocessing.inference.labels import Code, Label

#: Segmented Property Category (PS3.16 CID 7150).
ANATOMICAL_STRUCTURE: Final = Code("123037004", "SCT", "Anatomical Structure")

#: Names that have a code of their own (SNOMED CT, as in PS3.16 CID 7192 and CID 4031).
KNOWN: Final[Mapping[str, Code]] = {
    "skeleton": Code("272673000", "SCT", "Bone"),
    "bone": Code("272673000", "SCT", "Bone"),
    "patient": Code("38266002", "SCT", "Entire body"),
    "skull": Code("89546000", "SCT", "Skull"),
    "spine": Code("421060004", "SCT", "Spine"),
    "chest": Code("51185008", "SCT", "Thoracic structure"),
    "pelvis": Code("12921003", "SCT", "Pelvic structure"),
    "humerus": Code("85050009", "SCT", "Humerus"),
    "femur": Code("71341001", "SCT", "Femur"),
    "kidney": Code("64033007", "SCT", "Kidney"),
}

#: Coding Scheme Designator of codes that stand in no public scheme (PS3.3 section 8.2: "99...").
LOCAL_SCHEME: Final = "99OSTEOSERVE"


def labels_of_names(names: Sequence[str]) -> tuple[Label, ...]:
    """Labels 1, 2, ... with the codes that their names have.

    Args:
        names: In the order of the network's classes, background left out.

    Returns:
        The labels; a name without a code gets one of a local scheme, which the report says.

    Raises:
        SpecificationError: A name is empty or given twice.
    """
    if not names or len(set(names)) < len(names) or not all(name.strip() for name in names):
        raise SpecificationError(f"labels need names of their own, not {', '.join(names)!r}")
    return tuple(_named(value, name.strip()) for value, name in enumerate(names, start=1))


def labels_of_table(table: Sequence[Mapping[str, Any]]) -> tuple[Label, ...]:
    """Labels as a specification's ``[[label]]`` tables state them.

    Args:
        table: Each with ``name``, and optionally ``value`` (else counted from 1), ``category`` and
            ``type`` (lists of code value, scheme and meaning).

    Raises:
        SpecificationError: A table is incomplete or says something impossible.
    """
    labels = []
    for value, entry in enumerate(table, start=1):
        unknown = set(entry) - {"value", "name", "category", "type"}
        if unknown or not isinstance(entry.get("name"), str):
            raise SpecificationError(
                f"label {value}: name is missing, or unknown {sorted(unknown)}"
            )
        named = _named(entry.get("value", value), entry["name"])
        try:
            category = Code(*entry["category"]) if "category" in entry else named.category
            kind = Code(*entry["type"]) if "type" in entry else named.type
            labels.append(Label(named.value, named.name, category, kind))
        except (TypeError, ContractError) as error:
            raise SpecificationError(
                f"label {entry['name']}: category and type are [code, scheme, meaning]"
            ) from error
    return tuple(labels)


def table_of_labels(labels: Sequence[Label]) -> list[dict[str, Any]]:
    """The inverse of `labels_of_table`."""
    return [
        {
            "value": label.value,
            "name": label.name,
            "category": [label.category.value, label.category.scheme, label.category.meaning],
            "type": [label.type.value, label.type.scheme, label.type.meaning],
        }
        for label in labels
    ]


def _named(value: object, name: str) -> Label:
    if isinstance(value, bool) or not isinstance(value, int):
        raise SpecificationError(f"label {name}: its value must be an integer, not {value!r}")
    local = Code(name.upper().replace(" ", "_")[:16], LOCAL_SCHEME, name)
    try:
        return Label(value, name, ANATOMICAL_STRUCTURE, KNOWN.get(name.lower(), local))
    except ContractError as error:
        raise SpecificationError(f"label {name}: {error}") from error
