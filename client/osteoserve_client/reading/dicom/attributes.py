"""Reads DICOM attributes as plain numbers and text, or refuses without quoting them."""

from __future__ import annotations

import math
from collections.abc import MutableSequence

from pydicom import Dataset

from osteoserve_client.errors import MissingAttributeError


def values(dataset: Dataset, keyword: str, name: str) -> tuple[object, ...]:
    """All values of an attribute; empty when it is absent or empty.

    Raises:
        MissingAttributeError: The bytes are no value of the attribute's type.
    """
    try:  # not ``refusing``: this runs some forty times for each of thousands of slices
        value = dataset.get(keyword)
    except Exception:  # noqa: BLE001  # pydicom raises nearly anything, and quotes the value
        raise MissingAttributeError(f"{name}: {keyword} cannot be read") from None
    if value is None or value == "":
        return ()
    return tuple(value) if isinstance(value, MutableSequence | tuple) else (value,)


def raw_text(dataset: Dataset, keyword: str) -> bytes:
    """The attribute's bytes without surrounding blanks, to be compared and never shown.

    Names are not even decoded for it: that is slow, and warns of names that are malformed.
    """
    element = dataset.get_item(keyword)
    value = element.value if element is not None else None
    if isinstance(value, bytes):
        return value.strip(b" \0")
    return b"" if value is None else str(value).encode("utf-8", "surrogateescape").strip(b" \0")


def text(dataset: Dataset, keyword: str, name: str) -> str:
    """The first value as text without surrounding blanks; empty when there is none."""
    found = values(dataset, keyword, name)
    return str(found[0]).strip(" \0") if found else ""


def texts(dataset: Dataset, keyword: str, name: str) -> tuple[str, ...]:
    """All values as upper-case text without surrounding blanks (for code strings)."""
    return tuple(str(value).strip(" \0").upper() for value in values(dataset, keyword, name))


def numbers(dataset: Dataset, keyword: str, name: str, count: int) -> tuple[float, ...] | None:
    """Exactly ``count`` finite numbers, or None when the attribute is absent or empty.

    Raises:
        MissingAttributeError: There are more or fewer, or one is no finite number.
    """
    found = values(dataset, keyword, name)
    if not found:
        return None
    try:
        parsed = tuple(float(value) for value in found)  # type: ignore[arg-type]  # tried
    except (TypeError, ValueError):
        parsed = ()
    if len(parsed) != count or not all(math.isfinite(number) for number in parsed):
        raise MissingAttributeError(f"{name}: {keyword} is not {count} finite numbers")
    return parsed


def number(dataset: Dataset, keyword: str, name: str) -> float | None:
    """One finite number, or None when the attribute is absent or empty."""
    found = numbers(dataset, keyword, name, 1)
    return None if found is None else found[0]


def integer(dataset: Dataset, keyword: str, name: str) -> int | None:
    """One whole number, or None when the attribute is absent or empty.

    Raises:
        MissingAttributeError: It is not whole.
    """
    found = number(dataset, keyword, name)
    if found is None:
        return None
    if not found.is_integer():
        raise MissingAttributeError(f"{name}: {keyword} is not a whole number")
    return int(found)


def item(dataset: Dataset, keyword: str, name: str) -> Dataset | None:
    """The first item of a sequence, or None when it is absent or empty."""
    found = items(dataset, keyword, name)
    return found[0] if found else None


def items(dataset: Dataset, keyword: str, name: str) -> tuple[Dataset, ...]:
    """All items of a sequence; none when it is absent or empty.

    Raises:
        MissingAttributeError: It is no sequence.
    """
    found = values(dataset, keyword, name)
    datasets = tuple(each for each in found if isinstance(each, Dataset))
    if len(datasets) < len(found):
        raise MissingAttributeError(f"{name}: {keyword} is not a sequence")
    return datasets
