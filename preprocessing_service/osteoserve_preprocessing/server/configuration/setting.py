"""A command's option that can be given by environment variable and file as well."""

from __future__ import annotations

from typing import Any, Final

import click
from click.core import ParameterSource

from osteoserve_preprocessing.server.configuration.sizes import Size

#: The client's variables (OSTEOSERVE_SERVER, OSTEOSERVE_TLS_CA ...) are its own.
PREFIX: Final = "OSTEOSERVE_SERVE_"

#: Context's key of the file that was read.
FILE: Final = "osteoserve.configuration.file"

#: What TOML calls a value of each type of option, and Python's types of it.
_TOML: Final[dict[type[Any], tuple[str, tuple[type, ...]]]] = {
    click.types.BoolParamType: ("true or false", (bool,)),
    click.types.IntParamType: ("a whole number", (int,)),
    click.types.FloatParamType: ("a number", (int, float)),
    Size: ("a size such as 1048576 or '512MiB'", (int, str)),
}


class Setting(click.Option):
    """An option of ``--name VALUE``, of the variable OSTEOSERVE_SERVE_NAME and of a file.

    Args:
        table: Table of the file that it stands in; empty for the top.
    """

    def __init__(self, *args: Any, table: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table
        self.envvar = f"{PREFIX}{self.field.upper()}"

    @property
    def field(self) -> str:
        """Its name in `Settings` or `Limits`, and in its table of the file."""
        return str(self.name)

    @property
    def key(self) -> str:
        """Its dotted name in the file."""
        return f"{self.table}.{self.field}" if self.table else self.field

    def mistake(self, value: Any) -> str:
        """What a value of a TOML file should have been; empty where its type is right.

        click would take "8471" for a number, true for 1 and 1.5 for 1.
        """
        words, types = _TOML.get(type(self.type), ("a text", (str,)))
        if self.multiple:
            fits = isinstance(value, list) and all(self._fits(each, types) for each in value)
            return "" if fits else f"a list, each {words}"
        return "" if self._fits(value, types) else words

    @staticmethod
    def _fits(value: Any, types: tuple[type, ...]) -> bool:
        return isinstance(value, types) and (isinstance(value, bool) <= (bool in types))

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Its name where the value came from."""
        source = ctx.get_parameter_source(self.field) if ctx else None
        if source is ParameterSource.ENVIRONMENT:
            return f"'{self.envvar}'"
        if ctx and source is ParameterSource.DEFAULT_MAP:
            return f"'{self.key}' in {ctx.meta[FILE]}"
        return super().get_error_hint(ctx)
