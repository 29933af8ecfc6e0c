"""A token file holds what is needed to know a token, and not the token."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.server.security.token_changes import add_token, remove_token
from osteoserve_preprocessing.server.security.tokens import TokenFile, load_tokens, new_token

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with one token."""
    made = tmp_path / "tokens.json"
    add_token(made, new_token("first", ["models"], expires=LATER)[1])
    return made


def test_what_is_written_is_read_again(path: Path) -> None:
    token, entry = new_token("second", ["segment", "health"])
    add_token(path, entry)
    first, second = load_tokens(path)
    assert (first.name, first.expires) == ("first", LATER)
    assert second == entry
    assert TokenFile(path).find(token) == entry
    assert TokenFile(path).find(token + "x") is None
    assert token not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_tokens_are_random_and_salted() -> None:
    made = [new_token("one", ["models"]) for _ in range(50)]
    assert len({token for token, _ in made}) == 50
    assert len({entry.salt for _, entry in made}) == 50
    assert all(len(token) >= len("osteoserve_") + 43 for token, _ in made)


def test_a_token_expires_at_its_time() -> None:
    _, entry = new_token("one", ["models"], expires=LATER)
    assert not entry.expired(LATER - timedelta(microseconds=1))
    assert entry.expired(LATER)
    assert not new_token("one", ["models"])[1].expired(LATER)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o602])
def test_a_file_that_is_open_to_others_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(OptionError, match="open to others"):
        load_tokens(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_file_of_another_user_is_refused(path: Path) -> None:
    os.chown(path, 12345, 12345)
    with pytest.raises(OptionError, match="belongs to another user"):
        load_tokens(path)


def changed(**changes: Any) -> Any:
    def change(content: dict[str, Any]) -> None:
        content["tokens"][0] |= changes

    return change


def twice(content: dict[str, Any]) -> None:
    content["tokens"] *= 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed(name="a b"), "a client's name"),
        (changed(name="x" * 65), "a client's name"),
        (changed(name="x\n"), "a client's name"),
        (changed(scopes=[]), "client first: scopes are"),
        (changed(scopes=["segment", "everything"]), "not everything"),
        (changed(scopes="segment"), "an entry has"),
        (changed(salt=""), "salt or sha256"),
        (changed(sha256="ab"), "salt or sha256"),
        (changed(sha256="none"), "no token file"),
        (changed(expires="2100-01-01T00:00:00"), "no time zone"),
        (changed(expires="soon"), "no token file"),
        (changed(note="x"), "an entry has"),
        (twice, "two clients have one name"),
        (dict.clear, "no token file"),
    ],
)
def test_a_file_that_is_not_sound_is_refused(path: Path, change: Any, words: str) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(OptionError, match=words) as caught:
        TokenFile(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"tokens": 3}', '{"tokens": ["x"]}'])
def test_a_file_of_something_else_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(OptionError, match="no token file"):
        load_tokens(path)


def test_a_name_is_taken_once_and_given_back_once(path: Path) -> None:
    with pytest.raises(OptionError, match="has a client first already"):
        add_token(path, new_token("first", ["models"])[1])
    remove_token(path, "first")
    assert load_tokens(path) == ()
    with pytest.raises(OptionError, match="has no client first"):
        remove_token(path, "first")


def test_none_is_lost_where_many_are_added_at_once(path: Path) -> None:
    names = [f"client{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: add_token(path, new_token(name, ["models"])[1]), names))
    assert {entry.name for entry in load_tokens(path)} == {"first", *names}
    assert [file.name for file in path.parent.iterdir()] == ["tokens.json"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_the_service_can_still_read_what_an_administrator_changed(path: Path) -> None:
    os.chown(path, 0, 12345)
    path.chmod(0o600)
    add_token(path, new_token("second", ["models"])[1])
    assert (path.stat().st_uid, path.stat().st_gid) == (0, 12345)
