"""Our plugin's server, called by kubelet's own client (grpc-go) and by grpcio: both get the same bytes."""

from __future__ import annotations

import json
import os
import subprocess

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from anyio import to_thread

from tests.e2e.kubeletnode import VARIABLE, KubeletNode, running_node, running_rig
from tests.e2e.test_kubelet_rig import Rig, hack
from tests.support.kubelet import PluginClient
from tests.support.waiting import until


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a node takes root")

Line = dict[str, Any]


@pytest.fixture(scope="module")
def program() -> str:
    """Kubelet's client, built with what kubelet is built with."""
    built = hack("cluster", "build", "pluginclient")
    if "no go on PATH" in built.stderr:
        pytest.skip(built.stderr.strip())
    assert built.returncode == 0, built.stderr
    return built.stdout.split()[0]


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with running_rig() as rig:
        yield rig


@pytest.fixture
async def node(rig: Rig, tmp_path: Path) -> AsyncIterator[KubeletNode]:
    async with running_node(rig, tmp_path, 3) as node:
        for address in node.addresses:
            await node.claim(address)
        await until(node.is_right, wanted=True)
        yield node


@pytest.fixture
async def lines(program: str, node: KubeletNode) -> list[Line]:
    """What kubelet's client sent and got, a line for each call."""
    command = [program, str(node.plugin_socket), *node.addresses]
    done = await to_thread.run_sync(lambda: subprocess.run(command, check=True, capture_output=True, text=True))
    return [json.loads(line) for line in done.stdout.splitlines()]


async def test_grpc_go_and_grpcio_get_the_same_bytes(node: KubeletNode, lines: list[Line]) -> None:
    """Of every call: the answer byte for byte, or the same status with the same text."""
    assert [line["call"] for line in lines] == [
        "GetDevicePluginOptions",
        "ListAndWatch",
        "GetPreferredAllocation",
        "PreStartContainer",
        *["Allocate"] * 4,
    ]
    with closing(PluginClient(node.plugin_socket)) as client:
        for line in lines:
            told = await to_thread.run_sync(by_grpcio, client, line["call"], bytes.fromhex(line["request"]))
            print(f"{line['call']}: {line['code']} {line['message']} {len(line['answer']) // 2} bytes")
            assert told == (line["answer"], line["code"], line["message"])


async def test_kubelets_messages_read_ours(node: KubeletNode, lines: list[Line]) -> None:
    """Its own types find in them what was meant."""
    options, frame, preferred, started, every, first, unknown, twice = lines

    assert options["decoded"] == {"get_preferred_allocation_available": True}
    assert [(device["ID"], device["health"]) for device in frame["decoded"]["devices"]] == [
        (address, "Healthy") for address in node.addresses
    ]
    assert sorted(preferred["decoded"]["container_responses"][0]["deviceIDs"]) == node.addresses
    assert started["decoded"] == {}
    assert every["decoded"]["container_responses"][0]["envs"] == {VARIABLE: ",".join(node.addresses)}
    assert first["decoded"]["container_responses"][0]["envs"] == {VARIABLE: node.addresses[0]}
    assert (unknown["code"], twice["code"]) == ("NotFound", "InvalidArgument")


def by_grpcio(client: PluginClient, call: str, request: bytes) -> tuple[str, str, str]:
    """What grpcio gets for the same request: the answer in hex, the status as Go writes it, the text."""
    try:
        if call == "ListAndWatch":
            stream = client.stream()
            frame: bytes = next(stream)
            stream.cancel()
            return frame.hex(), "OK", ""
        return client.call(call, request).hex(), "OK", ""
    except grpc.RpcError as error:
        status = str(error.code().name).title().replace("_", "")
        return "", status, str(error.details())
