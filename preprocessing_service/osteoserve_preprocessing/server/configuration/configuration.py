"""All settings of a service, and where each came from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import click
from click.core import ParameterSource

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.configuration.file import did_you_mean, read_settings
from osteoserve_preprocessing.server.configuration.options import LIMITS, settings
from osteoserve_preprocessing.server.configuration.setting import FILE, PREFIX, Setting
from osteoserve_preprocessing.server.configuration.sizes import shown
from osteoserve_preprocessing.server.limits import Limits
from osteoserve_preprocessing.server.settings import Settings

#: Names the file, where no flag does.
FILE_VARIABLE: Final = f"{PREFIX}CONFIG"

_SOURCES: Final = MappingProxyType(
    {
        ParameterSource.COMMANDLINE: "flag",
        ParameterSource.ENVIRONMENT: "environment",
        ParameterSource.DEFAULT_MAP: "file",
        ParameterSource.DEFAULT: "default",
    }
)


@dataclass(frozen=True)
class Row:
    """One setting.

    Args:
        key: Its name in a file.
        value: As it was given, or its default; None where it is not set.
        source: "flag", "environment", "file" or "default".
    """

    key: str
    value: str | int | float | bool | list[str] | None
    source: str

    @property
    def shown(self) -> str:
        """The value, for people."""
        if self.value is None or self.value == []:
            return "-"
        if isinstance(self.value, list):
            return " ".join(self.value)
        if self.key.endswith("_bytes"):
            return shown(int(self.value))
        return f"{self.value:g}" if isinstance(self.value, float) else str(self.value)


@dataclass(frozen=True)
class Configuration:
    """What was chosen.

    Args:
        options: Every setting there is.
        values: By the settings' fields.
        sources: Where each of these came from.
    """

    options: tuple[Setting, ...]
    values: Mapping[str, Any]
    sources: Mapping[str, str]

    @classmethod
    def of(cls, context: click.Context) -> Configuration:
        """That of a command with `parameters`, once its words are parsed."""
        options = _settings_of(context.command)
        sources = {each.field: context.get_parameter_source(each.field) for each in options}
        return cls(
            options,
            {each.field: context.params[each.field] for each in options},
            {field: _SOURCES[source] for field, source in sources.items() if source},
        )

    def settings(self) -> Settings:
        """All of it, checked.

        Raises:
            OptionError: Settings do not go together, or a limit is none.
        """
        limits = Limits(**self._of(LIMITS))
        return Settings(limits=limits, **self._of(""))

    def rows(self) -> tuple[Row, ...]:
        """Every setting, in the order of the options."""
        return tuple(
            Row(option.key, _plain(self.values[option.field]), self.sources[option.field])
            for option in self.options
        )

    def _of(self, table: str) -> dict[str, Any]:
        return {o.field: self.values[o.field] for o in self.options if o.table == table}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def parameters() -> list[click.Parameter]:
    """What a command takes that a `Configuration` is made of: ``--config`` and every setting."""
    file = click.Option(
        ["--config"],
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        envvar=FILE_VARIABLE,
        is_eager=True,
        expose_value=False,
        callback=_take_environment_and_file,
        help=f"TOML file with settings. Each has a variable, too, as {PREFIX}PORT. Flags come "
        "before variables, variables before the file.",
    )
    return [file, *settings()]


def _settings_of(command: click.Command) -> tuple[Setting, ...]:
    return tuple(each for each in command.params if isinstance(each, Setting))


def _take_environment_and_file(
    context: click.Context, _: click.Parameter, path: Path | None
) -> None:
    """Eager: the file's settings become the defaults of the other options."""
    known = _settings_of(context.command)
    try:
        _check_environment({FILE_VARIABLE, *(f"{PREFIX}{each.field.upper()}" for each in known)})
        if path is not None:
            context.default_map = read_settings(path, known)
            context.meta[FILE] = path
    except OptionError as error:
        raise click.UsageError(str(error)) from error


def _check_environment(known: set[str]) -> None:
    """A variable that is misspelt would leave a bound where it was."""
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            raise OptionError(f"unknown environment variable {name}{did_you_mean(name, known)}")
