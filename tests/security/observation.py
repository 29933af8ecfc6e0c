"""What processes do, as the kernel sees it: native code has no way round."""

from __future__ import annotations

import ipaddress
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.preprocessing.conftest import tree_below

COMMAND = (sys.executable, "-m", "osteoserve_client")

#: Every call that can name another machine.
_CALLS = "connect,sendto,sendmsg,sendmmsg"
#: In strace's words: the address family, and the rest of the address.
_ADDRESS = re.compile(r"sa_family=(AF_\w+)((?:[^{}]|\{[^{}]*\})*)")
_HOST = re.compile(r'inet_(?:addr\(|pton\(AF_INET6, )"([^"]+)"')
_PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
#: Sockets of this machine's own resolvers: nscd's, and systemd-resolved's.
_RESOLVER = re.compile(r'sun_path="([^"]*(?:nscd|resolve)[^"]*)"')
#: They stay on this machine, whatever is sent; netlink asks the kernel which interfaces there are.
_LOCAL_FAMILIES = ("AF_UNIX", "AF_NETLINK", "AF_UNSPEC")
_DNS_PORT = 53


def tracing(log: Path) -> tuple[str, ...]:
    """The beginning of a command line, so that the rest is watched, with all that it starts.

    Skips where this machine does not let processes be watched.
    """
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is absent: apt-get install strace")
    begin = (strace, "-f", "--seccomp-bpf", "-qq", "-e", f"trace={_CALLS}", "-s", "0")
    tried = subprocess.run([*begin, "-o", "/dev/null", "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"processes may not be watched here (ptrace): {tried.stderr.strip()}")
    return (*begin, "-o", str(log))


def seen_calls(log: Path) -> list[str]:
    """The lines of the log that name an address."""
    return [line for line in log.read_text().splitlines() if "sa_family=" in line]


def outbound(log: Path) -> set[str]:
    """What was reached out for beyond this machine; a name server on it counts, for it asks on."""
    return {found for line in seen_calls(log) for found in _outbound(line)}


def _outbound(line: str) -> list[str]:
    found = []
    for family, rest in _ADDRESS.findall(line):
        if family in _LOCAL_FAMILIES:
            # The C library tries them for a user's name too. Where none listens, it asks the name
            # server itself for a host, which is seen below.
            found += [path for path in _RESOLVER.findall(rest) if Path(path).exists()]
            continue
        host, port = _HOST.search(rest), _PORT.search(rest)
        if not host or not port:
            found.append(line)  # no address that we know of: let a person look
        elif not _is_loopback(host[1]) or int(port[1]) == _DNS_PORT:
            found.append(f"{host[1]} port {port[1]}")
    return found


def _is_loopback(host: str) -> bool:
    address = ipaddress.ip_address(host)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def without_network() -> tuple[str, ...]:
    """The beginning of a command line, so that the rest runs where there is only loopback.

    Skips where this machine allows no such place.
    """
    begin = ("unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"')
    for program in ("unshare", "ip"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is absent: apt-get install util-linux iproute2")
    tried = subprocess.run([*begin, "sh", "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"no network namespace can be made here: {tried.stderr.strip()}")
    return (*begin, "sh")


def listening_port(root: int, program: str) -> int:
    """The gRPC port of a program below a process, from its command line."""
    (port,) = {
        found[1]
        for process in tree_below(root)
        if (found := re.search(rf"/{program} .*--grpc-port=(\d+)", process.command))
        and "guardian" not in process.command
    }
    return int(port)
