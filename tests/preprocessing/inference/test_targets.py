import pytest

from osteoserve_preprocessing.errors import OptionError
from osteoserve_preprocessing.inference.targets import Target, addresses, parse_targets
from osteoserve_preprocessing.server import Settings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("triton:8001", [Target("triton", 8001)]),
        ("a:1,b:2", [Target("a", 1), Target("b", 2)]),
        ("a:1, b:2, a:1", [Target("a", 1), Target("b", 2)]),
        ("[::1]:8001,10.0.0.1:8001", [Target("[::1]", 8001), Target("10.0.0.1", 8001)]),
        ("dns:///triton:8001", [Target("triton", 8001, every_address=True)]),
        ("dns:///a:1,b:2", [Target("a", 1, every_address=True), Target("b", 2)]),
    ],
)
def test_what_can_be_named(text, expected):
    found = parse_targets(text)
    assert list(found) == expected
    assert parse_targets(",".join(map(str, found))) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "triton",
        "triton:",
        ":8001",
        "a:1,",
        "a:0",
        "a:65536",
        "http://a:1",
        "dns://a:1",
        "::1:1",
    ],
)
def test_what_cannot(text):
    with pytest.raises(OptionError, match="--triton takes HOST:PORT"):
        parse_targets(text)
    with pytest.raises(OptionError, match="--triton takes HOST:PORT"):
        Settings(triton=text)


async def test_one_host_is_left_to_grpc():
    assert await addresses(Target("no.such.host.invalid", 8001)) == ("no.such.host.invalid:8001",)


async def test_a_name_is_every_address_behind_it():
    found = await addresses(Target("localhost", 8001, every_address=True))
    assert "127.0.0.1:8001" in found
    assert set(found) <= {"127.0.0.1:8001", "[::1]:8001"}
    assert await addresses(Target("[::1]", 8001, every_address=True)) == ("[::1]:8001",)


@pytest.mark.parametrize("name", ["no.such.host.invalid", "a..b", "a" * 64 + ".b"])
async def test_a_name_that_nobody_knows(name):
    with pytest.raises(OSError):  # noqa: PT011 - any: names are resolved by whatever the host has
        await addresses(Target(name, 8001, every_address=True))
