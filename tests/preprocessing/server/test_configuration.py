"""Every setting by flag, variable and file, in this order of precedence; nothing is misread."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from osteoserve_client.errors import ServiceRefusedError
from osteoserve_client.local_service import LocalService
from osteoserve_client.service import ServiceClient
from osteoserve_preprocessing.geometry import Volume
from osteoserve_preprocessing.server import Limits, Settings
from osteoserve_preprocessing.server.cli import doctor, serve
from osteoserve_preprocessing.server.configuration import Configuration
from osteoserve_preprocessing.server.configuration.setting import PREFIX, Setting
from osteoserve_preprocessing.server.configuration.sizes import shown
from tests.preprocessing.server.test_command import SERVE, refused, serving

MODEL = "edges"
DOCUMENTED = Path(__file__).parents[3] / "docs" / "configuration.md"
OPTIONS = [each for each in serve.params if isinstance(each, Setting)]
BOUNDS = [each for each in OPTIONS if each.table == "limits"]

#: From the last to the first that counts.
SOURCES = ("default", "file", "environment", "flag")


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def configuration(*words: str, command: click.Command = serve) -> Configuration:
    """What a command makes of its words."""
    return Configuration.of(command.make_context(str(command.name), list(words)))


def mistake(*words: str) -> str:
    """What a command says of words, variables or a file that it does not take."""
    with pytest.raises(click.UsageError) as raised:
        configuration(*words)
    said = raised.value.format_message()
    assert "\n" not in said
    return said


def write(folder: Path, content: str) -> str:
    path = folder / "serve.toml"
    path.write_text(content)
    return str(path)


def test_every_field_has_an_option_and_every_option_a_field() -> None:
    assert {each.field for each in BOUNDS} == {each.name for each in fields(Limits)}
    others = {each.field for each in OPTIONS if each not in BOUNDS}
    assert others == {each.name for each in fields(Settings)} - {"limits"}


@pytest.mark.parametrize("command", [serve, doctor])
def test_what_is_not_chosen_is_the_default(command: click.Command) -> None:
    chosen = configuration(command=command)
    assert chosen.settings() == Settings()
    assert {row.source for row in chosen.rows()} == {"default"}


@pytest.mark.parametrize("command", [serve, doctor])
@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.field)
@pytest.mark.parametrize("first", SOURCES)
def test_flags_come_before_variables_before_the_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: click.Command,
    bound: Setting,
    first: str,
) -> None:
    given = SOURCES[: SOURCES.index(first) + 1]
    words = []
    if "file" in given:
        words += ["--config", write(tmp_path, f"[limits]\n{bound.field} = 21")]
    if "environment" in given:
        monkeypatch.setenv(f"{PREFIX}{bound.field.upper()}", "22")
    if "flag" in given:
        words += [bound.opts[0], "23"]

    chosen = configuration(*words, command=command)

    row = next(row for row in chosen.rows() if row.key == bound.key)
    value = getattr(chosen.settings().limits, bound.field)
    expected = {"default": getattr(Limits(), bound.field), "file": 21, "environment": 22}
    assert (row.source, value, row.value) == (first, *[expected.get(first, 23)] * 2)


def test_the_file_itself_may_be_named_by_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}CONFIG", write(tmp_path, "port = 8000"))
    assert configuration().settings().port == 8000


def test_a_file_holds_every_kind_of_setting(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    content = """
        host = "::1"
        port = 0
        repository = "models"
        models = ["a", "b"]
        profile = "gpu"
        reflection = true
        tls_certificate = "server.crt"
        tls_key = "/keys/server.key"

        [limits]
        volume_bytes = "512MiB"
        chunk_bytes = 65536
        idle_s = 5
        upload_s = 60.5
    """
    assert configuration("--config", write(tmp_path, content)).settings() == Settings(
        host="::1",
        port=0,
        repository=tmp_path / "models",
        models=("a", "b"),
        profile="gpu",
        reflection=True,
        tls_certificate=tmp_path / "server.crt",
        tls_key=Path("/keys/server.key"),
        limits=Limits(volume_bytes=1 << 29, chunk_bytes=65536, idle_s=5.0, upload_s=60.5),
    )


def test_a_flag_turns_off_what_the_file_turned_on(tmp_path: Path) -> None:
    path = write(tmp_path, "reflection = true")
    assert not configuration("--config", path, "--no-reflection").settings().reflection


def test_variables_hold_every_kind_of_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MODELS": "a b", "REFLECTION": "true", "VOLUME_BYTES": "3GiB"}.items():
        monkeypatch.setenv(PREFIX + name, value)
    monkeypatch.setenv(f"{PREFIX}TRITON", "")  # as Compose sets what has no value
    limits = Limits(volume_bytes=3 << 30)
    assert configuration().settings() == Settings(models=("a", "b"), reflection=True, limits=limits)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('port = "8471"', "port must be a whole number"),
        ("port = true", "port must be a whole number"),
        ("port = 8471.5", "port must be a whole number"),
        ("host = 1", "host must be a text"),
        ("reflection = 1", "reflection must be true or false"),
        ('models = "a"', "models must be a list, each a text"),
        ("models = [1]", "models must be a list, each a text"),
        ('profile = "tpu"', "'profile' in"),
        ("limits = 3", "limits must be a table"),
        ("prot = 8471", "unknown key 'prot'; did you mean port?"),
        ("slices = 3", "unknown key 'slices'; did you mean limits.slices?"),
        ("announce = true", "unknown key 'announce'"),
        ("[limits]\nslice = 3", "unknown key 'limits.slice'; did you mean limits.slices?"),
        ("[limits]\nidle_s = true", "limits.idle_s must be a number"),
        ("[limits]\nslices = 1.5", "limits.slices must be a whole number"),
        ('[limits]\nvolume_bytes = "1 PB"', "'1 PB' is no size such as 512MiB"),
        ("[limits]\nvolume_bytes = 1e9", "limits.volume_bytes must be a size"),
        ("port = ", "is no TOML"),
        ("\xff", "is no TOML"),
    ],
)
def test_a_file_that_says_something_else_is_refused(
    tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "serve.toml"
    path.write_text(content, encoding="latin-1")
    said = mistake("--config", str(path))
    assert words in said
    assert str(path) in said


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in mistake("--config", str(tmp_path / "absent.toml"))


def test_a_variable_of_the_service_that_does_not_exist_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(f"{PREFIX}RESIDENT_VOLUME", "1")
    assert mistake().endswith(f"; did you mean {PREFIX}RESIDENT_VOLUMES?")


def test_variables_of_the_client_are_not_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVER", "TLS_CA", "TLS_CERTIFICATE", "TLS_KEY", "TOKEN_FILE"):
        monkeypatch.setenv(f"OSTEOSERVE_{name}", "/nowhere")
    assert configuration().settings() == Settings()


def test_a_wrong_value_is_named_by_the_variable_it_came_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(f"{PREFIX}PORT", "none")
    assert f"{PREFIX}PORT" in mistake()


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.field)
def test_a_bound_that_bounds_nothing_is_refused(bound: Setting, value: str) -> None:
    if value == "0" and bound.field in ("queued_calls", "drain_s"):  # no queue, no patience
        assert getattr(configuration(bound.opts[0], value).settings().limits, bound.field) == 0
        return
    with pytest.raises((click.UsageError, ValueError)):
        configuration(bound.opts[0], value).settings()


@pytest.mark.parametrize(
    ("count", "text"),
    [(1 << 30, "1GiB"), (3 << 29, "1536MiB"), (1 << 20, "1MiB"), (1000, "1000"), (1024, "1KiB")],
)
def test_sizes_are_shown_as_they_may_be_given(count: int, text: str) -> None:
    assert shown(count) == text
    limits = configuration("--volume-bytes", text).settings().limits
    assert limits.volume_bytes == count


def documented() -> Iterator[list[str]]:
    for line in DOCUMENTED.read_text().splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("| "))]


def test_the_page_says_what_the_command_does() -> None:
    expected = []
    for option, row in zip(OPTIONS, configuration().rows(), strict=True):
        default = f"`{row.shown}`" if row.value not in (None, False, []) else ""
        meaning = (option.help or "").replace("|", "\\|")
        expected.append([f"`{option.opts[0]}`", f"`{option.key}`", default, meaning])
    assert list(documented()) == expected, "\n".join(f"| {' | '.join(row)} |" for row in expected)


def test_the_service_keeps_to_what_was_configured(
    triton: str, volume: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}SLICES", str(len(volume.voxels) - 1))
    path = write(tmp_path, f'port = 0\ntriton = "{triton}"\n[limits]\nslices = 2000')
    with (
        serving("--announce", "--config", path) as (_, line),
        ServiceClient(line["address"]) as client,
        pytest.raises(ServiceRefusedError, match="may have 11 slices, not 12"),
    ):
        client.segment(volume, model=MODEL)


def test_an_embedded_service_of_the_client_is_nobody_elses(
    triton: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's own service may ask for tokens; what is started for one call does not."""
    monkeypatch.setenv(f"{PREFIX}TOKENS", str(tmp_path / "absent.json"))
    command = (*SERVE, "--announce", "--port", "0", "--triton", triton)
    with LocalService(command=command) as local, ServiceClient(local.address) as client:
        client.wait_ready(5)


def test_settings_that_do_not_go_together_are_refused_in_one_line(tmp_path: Path) -> None:
    code, said = refused("--config", write(tmp_path, 'tls_key = "server.key"'))
    assert code == 2
    assert len(said.splitlines()) == 1
    assert "certificate and key" in said
