"""The deployment's files as Compose and a shell would read them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
FILES = ("compose.yaml", "compose.cpu.yaml", "compose.tensorrt.yaml")
OVERLAYS: tuple[str | None, ...] = (None, "compose.cpu.yaml", "compose.tensorrt.yaml")
MONITORING = "compose.monitoring.yaml"

Service = dict[str, Any]


class Override(list[Any]):
    """A sequence that replaces the base's, where others are appended to it."""


def load(name: str) -> dict[str, Any]:
    """A Compose file, with what its merge tags stand before; a tagged sequence is an `Override`."""
    yaml = pytest.importorskip("yaml", reason="PyYAML absent: pip install pyyaml")

    class Loader(yaml.SafeLoader):
        pass

    def untagged(loader: Any, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        return Override(loader.construct_sequence(node, deep=True))

    for tag in ("!reset", "!override"):
        Loader.add_constructor(tag, untagged)
    return yaml.load((DOCKER / name).read_text(), Loader)


def deployed(*overlays: str | None) -> dict[str, Service]:
    """The services, with each key of the overlays in place of the base's.

    That is Compose's merge for all that the overlays hold: commands and scalars replace, mounts
    replace the one with their target, variables the one of their name, networks come to those that
    there are, and the tags ask for replacement elsewhere.
    """
    services = {name: dict(service) for name, service in load("compose.yaml")["services"].items()}
    for overlay in filter(None, overlays):
        for name, changes in load(overlay)["services"].items():
            service = services.setdefault(name, {})
            for key, value in changes.items():
                service[key] = merged(key, service.get(key), value)
    return services


def merged(key: str, base: Any, value: Any) -> Any:
    """What Compose makes of a key that both files have."""
    if base is None or isinstance(value, Override):
        return value
    if key == "volumes":
        targets = {mount["target"] for mount in value}
        return [*(mount for mount in base if mount["target"] not in targets), *value]
    if key == "environment":
        return base | value
    if key == "networks":
        return [*base, *value]
    return value


def environment(state: Path, name: str) -> dict[str, str]:
    """Of one of the services without a GPU, with a folder in place of its mounts."""
    variables = deployed("compose.cpu.yaml", MONITORING)[name]["environment"]
    return os.environ | {
        key: str(value).replace("/run/osteoserve", f"{state}/credentials")
        for key, value in variables.items()
    }


def client(
    state: Path, port: int, *arguments: object, **changed: str
) -> subprocess.CompletedProcess[str]:
    """The client's container, asking a service of this machine."""
    variables = environment(state, "client") | {"OSTEOSERVE_SERVER": f"localhost:{port}"} | changed
    return subprocess.run(
        [sys.executable, "-m", "osteoserve_client", *map(str, arguments)],
        env=variables,
        capture_output=True,
        text=True,
    )


def program(name: str, package: str) -> str:
    """Path of a linter that pip has installed; skips where it is absent."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} absent: pip install {package}")
    return found


def shell_commands(text: str) -> list[list[str]]:
    """Words of each ``osteoserve`` command line in a script or in a page's code blocks."""
    text = text.replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        # A client in a container is the same command.
        line = re.sub(r"docker compose .*?\brun\b(?: -\S+)* client ", "osteoserve ", line)
        line = re.sub(r"docker compose run --rm --entrypoint osteoserve \w+ ", "osteoserve ", line)
        line = re.sub(r'^(step "[^"]+" |\s*|.*\{ )client (?=[a-z])', "osteoserve ", line)
        match = re.match(r"\s*(?:sudo (?:-u \S+ )?)?(osteoserve [a-z].*)", line)
        if match:
            words = shlex.split(match[1], comments=True)
            stop = [i for i, word in enumerate(words) if word in {">", ">>", "|", "&&", "||"}]
            found.append(words[: stop[0]] if stop else words)
    return found
