"""The deployment's files as Compose and a shell would read them."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
FILES = ("compose.yaml", "compose.cpu.yaml", "compose.tensorrt.yaml")
OVERLAYS: tuple[str | None, ...] = (None, "compose.cpu.yaml", "compose.tensorrt.yaml")

Service = dict[str, Any]


def load(name: str) -> dict[str, Any]:
    """A Compose file, with what its merge tags stand before."""
    yaml = pytest.importorskip("yaml", reason="PyYAML absent: pip install pyyaml")

    class Loader(yaml.SafeLoader):
        pass

    def untagged(loader: Any, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        return loader.construct_sequence(node, deep=True)

    for tag in ("!reset", "!override"):
        Loader.add_constructor(tag, untagged)
    return yaml.load((DOCKER / name).read_text(), Loader)


def deployed(overlay: str | None) -> dict[str, Service]:
    """The services, with each key of the overlay in place of the base's.

    That is Compose's merge for all that the overlays hold: commands and scalars replace, mounts
    replace the one with their target, and the tags ask for it elsewhere.
    """
    services = {name: dict(service) for name, service in load("compose.yaml")["services"].items()}
    for name, changes in load(overlay)["services"].items() if overlay else ():
        for key, value in changes.items():
            if key == "volumes":
                targets = {mount["target"] for mount in value}
                kept = [m for m in services[name]["volumes"] if m["target"] not in targets]
                value = [*kept, *value]
            services[name][key] = value
    return services


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
