"""A network of the user's own, by import path."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osteoserve_export.errors import ArchitectureError, in_one_line

if TYPE_CHECKING:
    from torch import Tensor, nn


def build(path: str, _weights: Mapping[str, Tensor], options: Mapping[str, Any]) -> nn.Module:
    """Call a factory of the user's.

    Args:
        path: ``package.module:factory``, a function or class, importable from the current directory
            or installed.
        options: Its keyword arguments.

    Returns:
        What it made.

    Raises:
        ArchitectureError: There is no such module or attribute, it raises, or what it makes is no
            ``torch.nn.Module``.
    """
    from torch import nn

    module_name, _, attribute = path.partition(":")
    with _current_directory():
        factory = _factory(module_name, attribute)
        try:
            network = factory(**options)
        except Exception as error:
            raise ArchitectureError(f"{path} raised {in_one_line(error)}") from error
    if not isinstance(network, nn.Module):
        raise ArchitectureError(f"{path} made a {type(network).__name__}, not a torch.nn.Module")
    return network


def _factory(module_name: str, attribute: str) -> Any:
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        absent = isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(
            f"{error.name}."
        )
        reason = "not found, installed or here" if absent else f"raised {in_one_line(error)}"
        raise ArchitectureError(f"module {module_name!r}: {reason}") from error
    try:
        return attrgetter(attribute)(module)
    except AttributeError as error:
        raise ArchitectureError(f"module {module_name!r} has no {attribute!r}") from error


@contextmanager
def _current_directory() -> Iterator[None]:
    """Let the user's modules be imported from where the user is, as ``python -m`` would."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
