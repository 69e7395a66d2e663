"""Probes and scrapes over real connections: whoever asks is answered, whatever others do."""

from __future__ import annotations

import socket

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest

from anyio import BrokenResourceError, EndOfStream, connect_tcp, create_task_group, fail_after
from anyio.abc import SocketStream

from pcidevices.adapters.http.server import LONGEST_CONNECTION, MOST_CONNECTIONS, HttpServer, bound
from pcidevices.domain.health import Check
from pcidevices.errors import ConfigError


WELL = (Check("loop"), Check("hardware"))
ILL = (Check("loop"), Check("hardware", "the end of a scan is 3 s late"))


class Agent:
    """What the checks say."""

    def __init__(self) -> None:
        self.alive: Sequence[Check] = WELL
        self.ready: Sequence[Check] = WELL

    def is_alive(self) -> Sequence[Check]:
        return self.alive

    def is_ready(self) -> Sequence[Check]:
        return self.ready


@pytest.fixture
def agent() -> Agent:
    return Agent()


@asynccontextmanager
async def answering(agent: Agent, *, longest: float = LONGEST_CONNECTION) -> AsyncIterator[HttpServer]:
    async with bound("127.0.0.1", 0, longest=longest) as server, create_task_group() as tg:

        async def run() -> None:
            await server.run(alive=agent.is_alive, ready=agent.is_ready)

        tg.start_soon(run)
        yield server
        tg.cancel_scope.cancel()


async def ask(server: HttpServer, path: str, *, method: str = "GET") -> tuple[int, str]:
    """Status and body of one request; an answer is not long in coming."""
    with fail_after(30):
        async with aiohttp.request(method, f"http://{server.address}{path}") as response:
            return response.status, await response.text()


async def stranger(server: HttpServer) -> SocketStream:
    host, _, port = server.address.rpartition(":")
    return await connect_tcp(host, int(port))


async def test_a_healthy_agent_is_alive_and_ready(agent: Agent) -> None:
    async with answering(agent) as server:
        assert await ask(server, "/healthz") == (200, "[+]loop ok\n[+]hardware ok\nhealthz check passed\n")
        assert await ask(server, "/readyz?verbose") == (200, "[+]loop ok\n[+]hardware ok\nreadyz check passed\n")


async def test_each_question_is_answered_from_what_is_so_now(agent: Agent) -> None:
    async with answering(agent) as server:
        agent.alive = ILL
        status, text = await ask(server, "/healthz")
        ready, _ = await ask(server, "/readyz")

    assert (status, ready) == (503, 200)
    assert "[-]hardware failed: the end of a scan is 3 s late" in text


async def test_there_is_nothing_but_to_ask(agent: Agent) -> None:
    async with answering(agent) as server:
        assert (await ask(server, "/healthz", method="HEAD"))[0] == 200
        assert (await ask(server, "/healthz", method="POST"))[0] == 405
        assert await ask(server, "/") == (404, "there are /healthz, /readyz and /metrics\n")
        assert (await ask(server, "/../../etc/passwd"))[0] == 404


async def test_a_crash_while_one_is_answered_concerns_nobody_else(agent: Agent) -> None:
    async with answering(agent) as server:
        agent.alive = 3  # type: ignore[assignment]  # a defect
        assert (await ask(server, "/healthz"))[0] == 500
        assert (await ask(server, "/readyz"))[0] == 200


@pytest.mark.parametrize(
    "nonsense", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET " + b"x" * 20_000, b"\r\n" * 9]
)
async def test_nonsense_is_answered_with_an_end(agent: Agent, nonsense: bytes) -> None:
    async with answering(agent, longest=0.5) as server:
        async with await stranger(server) as connection:
            await connection.send(nonsense)
            with fail_after(30):
                await everything(connection)

        assert (await ask(server, "/healthz"))[0] == 200


async def test_who_connects_and_says_nothing_is_cut_off(agent: Agent) -> None:
    async with answering(agent, longest=0.2) as server, await stranger(server) as connection:
        with fail_after(30):
            assert await everything(connection) == b""


async def test_a_crowd_that_says_nothing_keeps_no_probe_out(agent: Agent) -> None:
    async with answering(agent) as server:
        crowd = [await stranger(server) for _ in range(4 * MOST_CONNECTIONS)]
        assert (await ask(server, "/healthz"))[0] == 200
        for connection in crowd:
            await connection.aclose()


async def test_a_port_that_is_taken_is_told_before_anything_is_done() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"--http: cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
            async with bound("127.0.0.1", port):
                pass


async def test_without_a_host_all_addresses_are_served(agent: Agent) -> None:
    async with bound("", 0) as server:
        port = server.address.rpartition(":")[2]
        async with create_task_group() as tg:
            tg.start_soon(lambda: server.run(alive=agent.is_alive, ready=agent.is_ready))
            async with aiohttp.request("GET", f"http://127.0.0.1:{port}/healthz") as response:
                assert response.status == 200
            tg.cancel_scope.cancel()


async def everything(connection: SocketStream) -> bytes:
    """What comes until the other side ends it, well or not."""
    received = b""
    while True:
        try:
            received += await connection.receive()
        except (EndOfStream, BrokenResourceError):
            return received
