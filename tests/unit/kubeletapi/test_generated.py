"""The generated code says what the .proto files say."""

from __future__ import annotations

import re
import subprocess
import sys

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pcidevices.kubeletapi import v1, v1beta1


if TYPE_CHECKING:
    from types import ModuleType

PROTO = Path(__file__).parents[3] / "proto"


@dataclass(frozen=True)
class Api:
    """A .proto file and what was generated from it."""

    source: str
    module: ModuleType

    @property
    def text(self) -> str:
        return re.sub("//.*", "", (PROTO / self.source).read_text())

    def blocks(self, kind: str) -> dict[str, str]:
        """The messages or the services: name and content."""
        return dict(re.findall(rf"^{kind} (\w+) \{{(.*?)\}}$", self.text, re.MULTILINE | re.DOTALL))

    def of(self, name: str) -> Any:
        """The class of a message."""
        return next(value for key, value in vars(self.module).items() if plain(key) == plain(name))


APIS = (
    Api("v1beta1/deviceplugin.proto", v1beta1),
    Api("podresources/v1/podresources.proto", v1),
)
FIELD = re.compile(r"^\s*(?:(repeated|optional) )?(map<.*>|\w+) (\w+) = (\d+);", re.MULTILINE)
RPC = re.compile(r"rpc (\w+)\((\w+)\) returns \((stream )?(\w+)\);")


def plain(name: str) -> str:
    """A name without the ways there are to write it."""
    return name.replace("_", "").lower()


def each(kind: str) -> list[object]:
    """The messages or the services of all files, with their names."""
    return [pytest.param(api, name, body, id=name) for api in APIS for name, body in api.blocks(kind).items()]


@pytest.mark.parametrize(("api", "name", "body"), each("message"))
def test_every_message_has_the_fields_of_its_proto(api: Api, name: str, body: str) -> None:
    """Each with its number, its type, and as a list where it repeats."""
    message = api.of(name)
    meta = message()._betterproto.meta_by_field_name
    fields = {plain(field): about for field, about in meta.items()}

    assert fields.keys() == {plain(field) for _, _, field, _ in FIELD.findall(body)}
    for label, kind, field, number in FIELD.findall(body):
        about = fields[plain(field)]
        assert about.number == int(number)
        scalar = kind in {"string", "bool", "int32", "int64", "uint64"}
        assert about.proto_type == (kind if scalar else "map" if kind.startswith("map") else "message")
        assert bool(about.optional) == (label == "optional")
        annotation = next(text for key, text in message.__annotations__.items() if plain(key) == plain(field))
        assert ("List" in str(annotation)) == (label == "repeated")


@pytest.mark.parametrize(("api", "name", "body"), each("service"))
def test_every_rpc_can_be_called_and_served(api: Api, name: str, body: str) -> None:
    """Under the path that the kubelet uses, with the messages of the .proto."""
    stub, base = (vars(api.module)[f"{name}{side}"] for side in ("Stub", "Base"))
    paths = base().__mapping__()
    package = re.findall("^package (.*);", api.text, re.MULTILINE)

    assert {plain(method) for method, *_ in RPC.findall(body)} <= {plain(method) for method in vars(stub)}
    assert paths.keys() == {f"/{package[0]}.{name}/{method}" for method, *_ in RPC.findall(body)}
    for method, request, stream, reply in RPC.findall(body):
        handler = paths[f"/{package[0]}.{name}/{method}"]
        assert handler.request_type is api.of(request)
        assert handler.reply_type is api.of(reply)
        assert handler.cardinality.value.server_streaming == bool(stream)


@pytest.mark.parametrize("module", [v1beta1, v1])
def test_numa_node_0_is_said_and_not_left_out(module: ModuleType) -> None:
    """Its only field has the default value, so the message is empty, but it is there."""
    topology = module.TopologyInfo(nodes=[module.NumaNode(id=0)])

    assert bytes(topology) == bytes.fromhex("0a 00")  # field 1, of a length of 0
    assert module.TopologyInfo().parse(bytes.fromhex("0a 00")) == topology
    assert module.TopologyInfo().parse(bytes.fromhex("0a 00")).nodes == [module.NumaNode(id=0)]


def test_a_device_travels_byte_for_byte() -> None:
    """What the kubelet reads is what the field numbers say, no more and no less."""
    device = v1beta1.Device(
        id="a",
        health="Healthy",
        topology=v1beta1.TopologyInfo(nodes=[v1beta1.NumaNode(id=0), v1beta1.NumaNode(id=1)]),
    )
    wire = b"\x0a\x01a" + b"\x12\x07Healthy" + b"\x1a\x06" + b"\x0a\x00" + b"\x0a\x02\x08\x01"

    assert bytes(device) == wire
    assert v1beta1.Device().parse(wire) == device
    assert bytes(v1beta1.Device().parse(wire)) == wire


def test_a_device_that_is_nowhere_has_no_topology() -> None:
    """No topology and an empty one are different things to the kubelet."""
    assert bytes(v1beta1.Device(id="a")) == b"\x0a\x01a"


def test_the_generated_code_imports_without_a_warning() -> None:
    """Neither module uses what is going away."""
    names = ", ".join(api.module.__name__ for api in APIS)

    subprocess.run([sys.executable, "-W", "error", "-c", f"import {names}"], check=True)
