"""What an operator may write, and what is refused before anything listens."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from osteoserve_client.errors import UsageError
from osteoserve_client.node.addresses import AeTitle, Peer, network
from osteoserve_client.node.settings import NodeSettings


@pytest.mark.parametrize("text", ["PACS@10.1.2.3:104", "MY PACS@pacs.example:11112", "A@[::1]:104"])
def test_destinations_are_what_they_say(text: str) -> None:
    peer = Peer.parsed(text)
    assert f"{peer.ae_title}@{peer.host}:{peer.port}" == text.replace("[", "").replace("]", "")


@pytest.mark.parametrize(
    "text",
    [
        *("", "PACS", "PACS@host", "@host:104", "PACS@:104", "PACS@host:99999", "PACS@host:x"),
        *("A" * 17 + "@host:104", "A\\B@host:104", " A@host:104", "A@host:٣"),
    ],
)
def test_destinations_that_are_none(text: str) -> None:
    with pytest.raises(UsageError):
        Peer.parsed(text)


@pytest.mark.parametrize("text", ["", "10.1.2.3/33", "10.1.2.3/24", "hospital", "10.1.2"])
def test_networks_that_are_none(text: str) -> None:
    with pytest.raises(UsageError):
        network(text)


def test_on_a_network_it_must_be_said_who_may_send(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--allow-from"):
        NodeSettings(spool=tmp_path, host="0.0.0.0")  # noqa: S104
    settings = NodeSettings(
        spool=tmp_path,
        host="0.0.0.0",  # noqa: S104
        networks=(network("10.1.2.0/24"), network("2001:db8::/32")),
    )
    assert settings.admits("10.1.2.200")
    assert settings.admits("::ffff:10.1.2.200"), "a listener for both families sees it so"
    assert settings.admits("2001:db8::7")
    assert not settings.admits("10.1.3.1")
    assert not settings.admits("2001:db9::7")
    assert ipaddress.ip_address("10.1.3.1") not in settings.networks[0]


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("CT1", "CT1"),
        ("MY PACS ", "MY_PACS"),
        ("a=b", "?"),
        ("x\ny", "?"),
        ("A" * 17, "?"),
        ("", "?"),
    ],
)
def test_titles_of_strangers_break_no_log_line(title: str, shown: str) -> None:
    assert AeTitle.shown(title) == shown
