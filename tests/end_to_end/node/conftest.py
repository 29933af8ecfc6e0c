"""A node and an archive for each test; one phantom and one service for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pynetdicom import AE, StoragePresentationContexts
from pynetdicom.association import Association

from tests.end_to_end.node.peers import Archive, Node, Program, kill_quietly
from tests.end_to_end.processes import Command

StartNode = Callable[..., Node]
Associate = Callable[[Node], Association]


@pytest.fixture(scope="session")
def ct(osteoserve: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a CT series of eight slices."""
    folder = tmp_path_factory.mktemp("ct")
    made = osteoserve("phantom", "ct", "-o", folder, "--slices", "8", "--region", "thorax")
    assert made.returncode == 0, made.stderr
    return folder / "dicom"


@pytest.fixture(scope="session")
def bone_scan(osteoserve: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a whole-body bone scan."""
    folder = tmp_path_factory.mktemp("scan")
    made = osteoserve("phantom", "scintigraphy", "-o", folder)
    assert made.returncode == 0, made.stderr
    return folder / "dicom"


@pytest.fixture
def started() -> Iterator[Callable[[Program], Program]]:
    """Has a program ended with the test."""
    with ExitStack() as stack:

        def keep(program: Program) -> Program:
            stack.callback(kill_quietly, program.process)
            return program

        yield keep


@pytest.fixture
def start_node(tmp_path: Path, started: Callable[[Program], Program]) -> StartNode:
    """Starts a node; all of a test share one spool."""

    def start(*options: str | Path, settle_s: float = 1.0) -> Node:
        node = Node(tmp_path, *options, settle_s=settle_s)
        started(node)
        return node

    return start


@pytest.fixture
def associate() -> Iterator[Associate]:
    """Opens an association with a node, proposing every kind of image."""
    with ExitStack() as stack:

        def open_association(node: Node) -> Association:
            ae = AE(ae_title="TESTSCU")
            for context in StoragePresentationContexts[:120]:
                ae.add_requested_context(str(context.abstract_syntax))
            association = ae.associate("127.0.0.1", node.port, ae_title="OSTEOSERVE")
            assert association.is_established
            # pynetdicom does not close a socket whose peer is gone.
            stack.callback(association.dul.socket.socket.close)
            stack.callback(association.kill)
            return association

        yield open_association


@pytest.fixture
def archive(tmp_path: Path, started: Callable[[Program], Program]) -> Archive:
    """Takes masks."""
    found = Archive(tmp_path)
    started(found)
    return found
