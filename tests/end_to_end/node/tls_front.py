"""Stands in front of a server and speaks TLS for it, as a hospital's reverse proxy does.

Debian's Orthanc crashes on its first HTTPS request (Orthanc 1.10.1, civetweb 1.15).
"""

from __future__ import annotations

import asyncio
import ssl
import sys


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass  # one side has hung up: so does the other
    finally:
        writer.close()


async def front(certificate: str, key: str, port: int, behind: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", behind)
        await asyncio.gather(pass_on(reader, ours), pass_on(theirs, writer))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with await asyncio.start_server(serve, "127.0.0.1", port, ssl=context) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(front(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
