"""What a network is built with: read from its weights, unless the user says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from osteoserve_export.errors import ArchitectureError


def settings(inferred: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Lay the user's options over what was inferred.

    Args:
        inferred: Every option, with the value that the weights tell, or the usual one.
        options: Of the user; lists stand for tuples.

    Raises:
        ArchitectureError: An option is unknown, or of another type.
    """
    stated = {
        name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
    }
    for name, value in stated.items():
        if name not in inferred:
            raise ArchitectureError(
                f"no option is called {name!r}: there are {', '.join(inferred)}"
            )
        if isinstance(inferred[name], float) and type(value) is int:
            stated[name] = float(value)
        elif type(value) is not type(inferred[name]):
            raise ArchitectureError(
                f"{name} must be of the kind of {inferred[name]!r}, not {value!r}"
            )
    return {**inferred, **stated}
