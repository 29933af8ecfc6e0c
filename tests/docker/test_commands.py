"""Every command that the deployment names is one that the program takes."""

import shlex
from pathlib import Path

import click
import pytest

from osteoserve_client.cli.group import osteoserve
from tests.docker.deployment import DOCKER, MONITORING, OVERLAYS, ROOT, deployed, shell_commands


def parse(words: list[str]) -> None:
    """Parse as the program would, and do nothing.

    Raises:
        click.UsageError: There is no such command, option or value.
    """
    command, name, context = osteoserve, "osteoserve", None
    rest = words[1:]
    while isinstance(command, click.Group):
        context = click.Context(command, info_name=name, parent=context)
        name, found, rest = command.resolve_command(context, rest)
        command = found
    # Files are those of a container.
    for parameter in command.params:
        if isinstance(parameter.type, click.Path):
            parameter.type.exists = False
    command.make_context(name, list(rest), parent=context)


def container_commands() -> list[list[str]]:
    found = []
    for overlay in OVERLAYS:
        for service in deployed(overlay, MONITORING).values():
            if not service["image"].startswith("osteoserve:") or "command" not in service:
                continue
            entrypoint = service.get("entrypoint", ["osteoserve"])
            if entrypoint[0] == "osteoserve":
                found.append([*entrypoint, *service["command"]])
            elif entrypoint[0] == "/bin/sh":
                found += shell_commands(service["command"][0].replace("$$", "$"))
    return found


@pytest.mark.parametrize("words", container_commands(), ids=shlex.join)
def test_commands_of_containers(words):
    parse(words)


@pytest.mark.parametrize(
    ("page", "least"), [(DOCKER / "verify.sh", 4), (ROOT / "docs" / "deploy.md", 4)], ids=str
)
def test_commands_of_scripts_and_pages(page: Path, least: int):
    commands = shell_commands(page.read_text())
    assert len(commands) >= least, "the commands are no longer found"
    for words in commands:
        if words[1:] != ["$@"]:
            parse(words)


@pytest.mark.parametrize(
    "line",
    [
        "osteoserve serve --tls-cert x",
        "osteoserve serves",
        "osteoserve segment /data/study",
        "docker compose run --rm client modles",
        'step "models listed" client models --sever x',
    ],
)
def test_a_wrong_command_is_found(line):
    (words,) = shell_commands(line)
    with pytest.raises(click.UsageError):
        parse(words)
