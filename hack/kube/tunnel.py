"""
A proxy in the network of the node, on a socket in a folder: by it the API server reaches kubelet and pods.

    tunnel.py SOCKET

HTTP CONNECT, as the API server wants it of what it calls egress. A name is the node's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import sys


LONGEST = 30


async def main(path: str) -> None:
    """Serve until the end."""
    server = await asyncio.start_unix_server(serve, path)
    await server.serve_forever()


async def serve(near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
    """Connect, say so, and pass on what comes, until either side has no more to say."""
    with contextlib.closing(back), contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
        async with asyncio.timeout(LONGEST):
            asked = (await near.readuntil(b"\r\n\r\n")).decode(errors="replace")
        verb, _, rest = asked.partition(" ")
        host, _, port = rest.split(" ")[0].rpartition(":")
        if verb != "CONNECT" or not port.isdecimal():
            back.write(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
            return
        try:
            async with asyncio.timeout(LONGEST):
                far, forth = await asyncio.open_connection(address(host), int(port))
        except OSError as error:  # a time-out is one
            back.write(f"HTTP/1.1 502 {error.strerror or 'no answer'}\r\n\r\n".encode())
            return
        back.write(b"HTTP/1.1 200 OK\r\n\r\n")
        async with asyncio.TaskGroup() as both:
            both.create_task(copy(near, forth, back))
            both.create_task(copy(far, back, forth))


def address(host: str) -> str:
    """Where that is, seen from the node."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host.strip("[]")))
    return "127.0.0.1"


async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, other: asyncio.StreamWriter) -> None:
    """Pass everything on; with its end the way back ends too."""
    with contextlib.closing(sink), contextlib.closing(other), contextlib.suppress(OSError):
        while some := await source.read(1 << 16):
            sink.write(some)
            await sink.drain()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
