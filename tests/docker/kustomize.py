"""Renders the Kustomize folders: the resources, with JSON patches (RFC 6902) applied.

That is all that they use; where kubectl is installed, a test compares with its own rendering.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.docker.deployment import DOCKER

KUBERNETES = DOCKER / "kubernetes"
OVERLAYS = ("gpu", "cpu")

Document = dict[str, Any]


def documents(path: Path) -> list[Document]:
    """Of one file."""
    yaml = pytest.importorskip("yaml", reason="PyYAML absent: pip install pyyaml")
    return list(yaml.safe_load_all(path.read_text()))


def rendered(folder: Path, resources: list[Document] | None = None) -> list[Document]:
    """What ``kubectl apply --kustomize`` would send; a component changes given resources."""
    yaml = pytest.importorskip("yaml", reason="PyYAML absent: pip install pyyaml")
    (kustomization,) = documents(folder / "kustomization.yaml")
    unknown = kustomization.keys() - {"apiVersion", "kind", "resources", "patches", "components"}
    assert not unknown, f"not rendered here: {unknown}"
    found = list(resources or [])
    for name in kustomization.get("resources", []):
        path = folder / name
        found += rendered(path.resolve()) if path.is_dir() else documents(path)
    for patch in kustomization.get("patches", []):
        (target,) = (one for one in found if is_target(one, patch["target"]))
        for operation in yaml.safe_load(patch["patch"]):
            apply(target, **operation)
    for name in kustomization.get("components", []):
        found = rendered((folder / name).resolve(), found)
    return found


def overlay(name: str) -> list[Document]:
    return rendered(KUBERNETES / "overlays" / name)


def is_target(document: Document, target: dict[str, str]) -> bool:
    return (document["kind"], document["metadata"]["name"]) == (target["kind"], target["name"])


def apply(document: Any, op: str, path: str, value: Any = None) -> None:
    """One operation of RFC 6902."""
    *way, last = path.strip("/").split("/")
    for step in way:
        document = document[int(step) if isinstance(document, list) else step]
    place: Any = last
    if isinstance(document, list):
        place = len(document) if last == "-" else int(last)
    if op == "test":
        assert document[place] == value, path
    elif op == "remove":
        del document[place]
    elif op == "add" and isinstance(document, list):
        document.insert(place, value)
    else:
        assert op == "add" or place in range(len(document)) or place in document, path
        document[place] = value


def pods(resources: list[Document]) -> dict[str, Document]:
    """The pod templates, by the name of what makes them."""
    return {
        one["metadata"]["name"]: one["spec"]["template"]
        for one in resources
        if "template" in one.get("spec", {})
    }


def containers(pod: Document) -> list[Document]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
