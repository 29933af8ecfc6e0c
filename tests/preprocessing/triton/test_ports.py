from __future__ import annotations

import errno
import socket

import pytest

from osteoserve_preprocessing.triton.ports import LOOPBACK, ReservedPort


def test_nobody_else_gets_a_reserved_port() -> None:
    with ReservedPort() as port, socket.socket() as other:
        with pytest.raises(OSError, match="in use") as caught:
            other.bind((LOOPBACK, port.number))
        assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("option", [socket.SO_REUSEPORT, socket.SO_REUSEADDR])
def test_a_server_that_shares_ports_can_come_and_go(option: int) -> None:
    with ReservedPort(option) as port:
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((LOOPBACK, port.number))
            with socket.socket() as server:
                server.setsockopt(socket.SOL_SOCKET, option, 1)
                server.bind((LOOPBACK, port.number))
                server.listen()
                with socket.create_connection((LOOPBACK, port.number)) as client:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def test_ports_differ() -> None:
    ports = [ReservedPort() for _ in range(20)]
    assert len({port.number for port in ports}) == 20
    for port in ports:
        port.release()
