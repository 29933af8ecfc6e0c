"""``osteoserve credentials`` makes what a service and its clients need, and nothing twice."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from osteoserve_preprocessing.server.security.cli import credentials
from osteoserve_preprocessing.server.security.tokens import TokenFile, load_tokens

FILES = {
    "ca.crt": 0o644,
    "ca.key": 0o600,
    "server.crt": 0o644,
    "server.key": 0o600,
    "tokens.json": 0o600,
    "client.crt": 0o644,
    "client.key": 0o600,
    "client.token": 0o600,
}


def command(*words: str | Path) -> Result:
    return CliRunner().invoke(credentials, list(map(str, words)))


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "new" / "credentials"
    hosts = ("--host", "gpu.example", "--host", "10.1.2.3")
    ended = command("init", "-o", folder, *hosts, "--days", "30")
    assert ended.exit_code == 0, ended.output
    assert ended.output.splitlines() == [str(folder / name) for name in FILES]
    return folder


def test_secrets_are_readable_by_their_owner_alone(made: Path) -> None:
    assert {path.name: path.stat().st_mode & 0o777 for path in made.iterdir()} == FILES
    assert made.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in made.parent.iterdir()] == ["credentials"]


@pytest.mark.parametrize(
    ("name", "usage"),
    [("server", ExtendedKeyUsageOID.SERVER_AUTH), ("client", ExtendedKeyUsageOID.CLIENT_AUTH)],
)
def test_a_certificate_is_its_authoritys_and_its_keys_and_good_for_one_thing(
    made: Path, name: str, usage: x509.ObjectIdentifier
) -> None:
    issued = certificate(made / f"{name}.crt")
    issued.verify_directly_issued_by(certificate(made / "ca.crt"))
    key = load_pem_private_key((made / f"{name}.key").read_bytes(), password=None)
    assert key.public_key() == issued.public_key()
    assert list(issued.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [usage]
    assert not issued.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    left = issued.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=29) < left < timedelta(days=31)


def test_the_servers_certificate_names_its_hosts(made: Path) -> None:
    names = certificate(made / "server.crt").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["gpu.example", "localhost"]
    addresses = map(ipaddress.ip_address, ("10.1.2.3", "127.0.0.1", "::1"))
    assert names.value.get_values_for_type(x509.IPAddress) == list(addresses)


def test_the_first_token_may_do_all_that_a_client_needs(made: Path) -> None:
    entry = TokenFile(made / "tokens.json").find((made / "client.token").read_text().strip())
    assert entry is not None
    assert (entry.name, entry.scopes) == ("client", {"segment", "models", "health"})


def test_nothing_is_alike_in_two_runs(made: Path, tmp_path: Path) -> None:
    command("init", "-o", tmp_path / "other")
    for name in FILES:
        assert (made / name).read_bytes() != (tmp_path / "other" / name).read_bytes()


def test_nothing_is_written_over(made: Path) -> None:
    before = {path: path.read_bytes() for path in made.iterdir()}
    ended = command("init", "-o", made)
    assert ended.exit_code == 2
    assert "never written over" in ended.output
    assert {path: path.read_bytes() for path in made.iterdir()} == before


@pytest.mark.parametrize("host", ["münchen.example", "gpu.example\n"])
def test_a_host_that_is_none_is_refused_and_leaves_nothing(tmp_path: Path, host: str) -> None:
    ended = command("init", "-o", tmp_path / "credentials", "--host", host)
    assert ended.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = command("init", "-o", tmp_path / "file" / "credentials")
    assert ended.exit_code == 6
    assert "Traceback" not in ended.output
    ended = command("token", "--tokens", tmp_path / "no" / "t", "--name", "a", "--scopes", "models")
    assert ended.exit_code == 6


def further(made: Path, role: str, *words: str | Path) -> Result:
    return command("certificate", "--authority", made, "--for", role, *words)


@pytest.mark.parametrize(
    ("role", "usages"),
    [
        ("server", {ExtendedKeyUsageOID.SERVER_AUTH}),
        ("client", {ExtendedKeyUsageOID.CLIENT_AUTH}),
        ("node", {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}),
    ],
)
def test_a_further_certificate_is_of_the_same_authority(
    made: Path, tmp_path: Path, role: str, usages: set[x509.ObjectIdentifier]
) -> None:
    out = tmp_path / "further"
    ended = further(made, role, "-o", out, "--days", "7", "--name", "next")
    assert ended.exit_code == 0, ended.output
    assert ended.output.splitlines() == [str(out / "next.crt"), str(out / "next.key")]
    assert [(out / f"next.{kind}").stat().st_mode & 0o777 for kind in ("crt", "key")] == [
        0o644,
        0o600,
    ]
    issued = certificate(out / "next.crt")
    issued.verify_directly_issued_by(certificate(made / "ca.crt"))
    assert set(issued.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == usages
    key = load_pem_private_key((out / "next.key").read_bytes(), password=None)
    assert key.public_key() == issued.public_key()


@pytest.mark.parametrize(
    ("role", "words", "said"),
    [
        ("client", ("--host", "here"), "names no host"),
        ("client", ("--name", "../up"), "letters, digits or hyphens"),
        ("server", ("--days", "3650"), "the authority itself ends"),
        ("server", (), "never written over"),
        ("node", ("--host", "a b"), "neither a name nor an address"),
    ],
)
def test_a_further_certificate_that_cannot_be_is_refused_and_leaves_all_as_it_was(
    made: Path, role: str, words: tuple[str, ...], said: str
) -> None:
    (made / "server.crt").unlink()  # the key alone is enough to refuse
    before = {path: path.read_bytes() for path in made.iterdir()}
    ended = further(made, role, "-o", made, *words)
    assert ended.exit_code == 2
    assert said in ended.output
    assert {path: path.read_bytes() for path in made.iterdir()} == before


@pytest.mark.parametrize("broken", ["no key", "another's key", "open to others"])
def test_an_authority_that_is_not_sound_signs_nothing(
    made: Path, tmp_path: Path, broken: str
) -> None:
    key = made / "ca.key"
    if broken == "no key":
        key.unlink()
    elif broken == "another's key":
        key.write_bytes((made / "client.key").read_bytes())
    else:
        key.chmod(0o644)
    ended = further(made, "client", "-o", tmp_path / "out")
    assert ended.exit_code == 2
    assert "Traceback" not in ended.output
    assert not (tmp_path / "out").exists()


def test_a_token_is_printed_once(made: Path) -> None:
    tokens = ("--tokens", made / "tokens.json")
    ended = command(
        "token", *tokens, "--name", "pacs", "--scopes", "segment, models", "--days", "7"
    )
    assert ended.exit_code == 0
    (printed,) = ended.output.splitlines()
    entry = TokenFile(made / "tokens.json").find(printed)
    assert entry is not None
    assert (entry.name, entry.scopes) == ("pacs", {"segment", "models"})
    assert entry.expires is not None
    assert timedelta(days=6) < entry.expires - datetime.now(UTC) < timedelta(days=8)
    assert all(printed not in path.read_text() for path in made.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--name", "client", "--scopes", "models"), "has a client client already"),
        (("--name", "other", "--scopes", "everything"), "scopes are segment"),
        (("--name", "two words", "--scopes", "models"), "a client's name"),
    ],
)
def test_a_token_that_cannot_be_is_refused(made: Path, words: tuple[str, ...], said: str) -> None:
    before = (made / "tokens.json").read_bytes()
    ended = command("token", "--tokens", made / "tokens.json", *words)
    assert ended.exit_code == 2
    assert said in ended.output
    assert "osteoserve_" not in ended.output
    assert (made / "tokens.json").read_bytes() == before


def test_a_token_can_be_taken_back(made: Path) -> None:
    words = ("--tokens", made / "tokens.json", "--name", "client")
    assert command("revoke", *words).exit_code == 0
    assert load_tokens(made / "tokens.json") == ()
    assert command("revoke", *words).exit_code == 2
