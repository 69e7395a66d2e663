"""Claims that nobody in their right mind would write, on a real API server: the agent reads them and does no harm."""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import ssl

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster import Agent, Cluster, Object, a_spec, running_agent, running_cluster, wait_until


CLAIMS = "/apis/devices.harvesterhci.io/v1beta1/pcideviceclaims"
GROUP = "devices.harvesterhci.io"
NODE = "hostile"
DEVICES = [f"0000:01:{slot:02x}.0" for slot in range(32)]
VALID, TARGETS, LIED_ABOUT, ELSEWHERE = DEVICES[:4], DEVICES[4:12], DEVICES[12:24], DEVICES[24:]
FUZZED = 200
SEED = 20250101

# Sees every file that the agent opens for writing, makes, moves or removes, whoever in it does so.
WITNESS = """
import os, sys
said = os.open(os.environ["WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
changes = {"os.mkdir": 0, "os.remove": 0, "os.rmdir": 0, "os.rename": 1, "os.symlink": 1, "os.link": 1}
writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
def hook(event, arguments):
    is_write = event == "open" and isinstance(arguments[2], int) and arguments[2] & writes
    path = arguments[changes.get(event, 0)] if is_write or event in changes else 0
    if not isinstance(path, int):
        os.write(said, os.fsencode(path).hex().encode() + b"\\n")
sys.addaudithook(hook)
"""
BAD_ADDRESSES: tuple[Any, ...] = (
    "",
    " ",
    "../../../../etc/passwd",
    "0000:01:00.0/../../../x",
    "0000:01:04.0\n",
    "0000:01:04.0\n0000:01:05.0",
    "0000:01:04.0 ",
    "0000:01:04.0\u0000",
    "\uff10000:01:04.0",
    "0000:01:04.0\u2028",
    "0000:01:04.8",
    "0000:01:20.0",
    "00000:01:04.0",
    "123456789:01:04.0",
    "0000:01:04",
    "01:04",
    "vfio-pci",
    "0" * 100_000,
    "0000:01:04.0" * 1000,
    7,
    1.5,
    True,
    None,
    [],
    ["0000:01:04.0"],
    {},
    {"address": "0000:01:04.0"},
)
ABSENT = ("7f:1f.7", "0000:0A:00.0", "0000:FF:1F.7", "10000:01:04.0", "ffffffff:ff:1f.7", "ABCDE:01:04.0", "fe:00.0")
OTHER_NODES = ("other", "Hostile", "hostile ", "hostile\n", "../hostile", "h\u00f6stile", "*", "x" * 253, "hostile,a=b")
BAD_FIELDS: tuple[tuple[str, Any], ...] = (
    ("nodeName", ""),
    ("nodeName", "x" * 254),
    ("nodeName", 5),
    ("nodeName", None),
    ("userName", "x" * 513),
    ("userName", ["alice"]),
    ("disableResourcePooling", "yes"),
    ("disableResourcePooling", 1),
    ("nodeSystemUUID", "x" * 65),
    ("nodeSystemUUID", {}),
)
STRANGE_TEXTS = (
    "\u202ealice",
    "alice\nlevel=error",
    "\u0000",
    "\U0001f4a9" * 100,
    "../../x",
    "$(reboot)",
    "%s%n",
    "<b>",
    "'; --",
    "x" * 512,
)
STATUSES: tuple[Object, ...] = (
    {"kernelDriverToUnbind": "../../../../../../etc/passwd"},
    {"kernelDriverToUnbind": "ixgbe\n0000:01:00.0"},
    {"kernelDriverToUnbind": "vfio-pci"},
    {"kernelDriverToUnbind": "x" * 100_000},
    {"kernelDriverToUnbind": "", "wasOnVfio": True},
    {"claimed": {"vendorId": "zzzz", "deviceId": "\n"}},
    {"claimed": {"vendorId": "8086", "deviceId": "10fb", "serialNumber": "../x" * 1000}},
    {"claimed": {"vendorId": "8086", "deviceId": "10fb", "physicalFunction": "0000:00:00.0"}},
    {"passthroughEnabled": True, "conditions": [{"type": "Ready", "status": "True", "reason": "Ready"}]},
    {
        "conditions": [
            {"type": f"Kind{i}", "status": "Unknown", "reason": "\u0000\n", "message": "m"} for i in range(50)
        ]
    },
    {"claimed": {"vendorId": "8086", "deviceId": "10fb"}, "kernelDriverToUnbind": "nvme", "wasOnVfio": True},
)


@dataclass
class Person:
    """Speaks with the API server as nothing with a library would."""

    cluster: Cluster

    def __post_init__(self) -> None:
        config = json.loads(self.cluster.kubeconfig.read_text())
        server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        ca = base64.b64decode(server["certificate-authority-data"]).decode()
        self._host = server["server"].removeprefix("https://")
        self._context = ssl.create_default_context(cadata=ca)
        self._headers = {"Authorization": f"Bearer {user['token']}", "Content-Type": "application/json"}

    def ask(self, verb: str, path: str, body: Object | None = None) -> tuple[int, Object]:
        with closing(http.client.HTTPSConnection(self._host, context=self._context)) as connection:
            connection.request(verb, path, body=json.dumps(body) if body is not None else None, headers=self._headers)
            response = connection.getresponse()
            return response.status, json.load(response)

    def claims(self) -> dict[str, Object]:
        return {claim["metadata"]["name"]: claim for claim in self.ask("GET", CLAIMS)[1]["items"]}

    def ready(self, name: str) -> bool:
        return reason(self.claims().get(name, {})) == "Ready"


def a_claim(name: str, address: Any, *, node: Any = NODE, annotation: str | None = None, **spec: Any) -> Object:
    annotations = {} if annotation is None else {f"{GROUP}/allow-protected": annotation}
    metadata = {"name": name, "annotations": annotations}
    kind = {"apiVersion": f"{GROUP}/v1beta1", "kind": "PCIDeviceClaim"}
    return {**kind, "metadata": metadata, "spec": {"address": address, "nodeName": node, **spec}}


def reason(claim: Object) -> str:
    conditions = claim.get("status", {}).get("conditions", [])
    return next((str(it["reason"]) for it in conditions if it["type"] == "Ready" and it.get("message")), "")


@dataclass
class Fuzz:
    """One claim to try: whether the schema must refuse it, and what a stranger writes into its status."""

    claim: Object
    refused: bool = False
    status: Object | None = None


def fuzzed(chance: random.Random) -> Iterator[Fuzz]:
    """Every case at least once, then any of them with anything else."""
    cases: list[Callable[[str], Fuzz]] = [
        *(partial(_bad_address, address=address) for address in BAD_ADDRESSES),
        *(partial(_bad_field, field=field, value=value) for field, value in BAD_FIELDS),
        *(partial(_elsewhere, node=node) for node in OTHER_NODES),
        *(partial(_absent, address=address, text=chance.choice(STRANGE_TEXTS)) for address in ABSENT),
        *(partial(_annotated, text=text, address=chance.choice(TARGETS)) for text in (*STRANGE_TEXTS, "x" * 200_000)),
        *(partial(_short, address=address) for address in TARGETS),
        *(partial(_with_status, status=it, address=address) for it, address in zip(STATUSES, LIED_ABOUT, strict=False)),
        *(partial(_other_machine, uuid=it[:64], address=at) for it, at in zip(STRANGE_TEXTS, ELSEWHERE, strict=False)),
    ]
    more = [chance.choice(cases) for _ in range(FUZZED - len(cases))]
    for index, case in enumerate([*cases, *more]):
        yield case(f"fuzzed-{index}")


def _bad_address(name: str, address: Any) -> Fuzz:
    return Fuzz(a_claim(name, address), refused=True)


def _bad_field(name: str, field: str, value: Any) -> Fuzz:
    claim = a_claim(name, TARGETS[0])
    claim["spec"][field] = value
    return Fuzz(claim, refused=True)


def _elsewhere(name: str, node: str) -> Fuzz:
    return Fuzz(a_claim(name, TARGETS[0], node=node))


def _absent(name: str, address: str, text: str) -> Fuzz:
    return Fuzz(a_claim(name, address, userName=text))


def _annotated(name: str, text: str, address: str) -> Fuzz:
    return Fuzz(a_claim(name, address, annotation=text, userName=text[:512]))


def _short(name: str, address: str) -> Fuzz:
    return Fuzz(a_claim(name, address.removeprefix("0000:").upper()))


def _with_status(name: str, status: Object, address: str) -> Fuzz:
    return Fuzz(a_claim(name, address), status=status)


def _other_machine(name: str, uuid: str, address: str) -> Fuzz:
    return Fuzz(a_claim(name, address, nodeSystemUUID=uuid))


@dataclass
class Scene:
    person: Person
    agent: Agent
    witness: Path
    tried: list[tuple[Fuzz, int, Object]]

    def accepted(self) -> dict[str, Fuzz]:
        return {fuzz.claim["metadata"]["name"]: fuzz for fuzz, status, _ in self.tried if status < 400}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """All of them at once, beside four that are as they should be."""
    folder = tmp_path_factory.mktemp("agent")
    (folder / "sitecustomize.py").write_text(WITNESS)
    spec = a_spec(len(DEVICES)).replace("devices:", "modules:\n  vfio-pci: loadable\ndevices:")
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {"PYTHONPATH": path, "WITNESS": str(folder / "witness"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["TMPDIR"] = str(folder)
    with (
        running_cluster(tmp_path_factory.mktemp("cluster")) as cluster,
        running_agent(folder, NODE, kubeconfig=cluster.kubeconfig, spec=spec, environment=environment) as agent,
    ):
        agent.wait_for_event("agent.synced")
        person = Person(cluster)
        for address in VALID:
            assert person.ask("POST", CLAIMS, a_claim(f"valid-{address[5:7]}{address[8:10]}", address))[0] == 201
        tried = []
        for fuzz in fuzzed(random.Random(SEED)):
            status, answer = person.ask("POST", CLAIMS, fuzz.claim)
            tried.append((fuzz, status, answer))
            if fuzz.status is not None and status < 400:
                _write_status(person, fuzz)
        yield Scene(person, agent, folder / "witness", tried)


def _write_status(person: Person, fuzz: Fuzz) -> None:
    """As a stranger would who may: over whatever the agent has written meanwhile."""
    path = f"{CLAIMS}/{fuzz.claim['metadata']['name']}"
    for _ in range(20):
        found = person.ask("GET", path)[1]
        if person.ask("PUT", f"{path}/status", {**found, "status": fuzz.status})[0] != http.client.CONFLICT:
            return


def test_the_schema_refuses_what_is_no_claim(scene: Scene) -> None:
    """Wrong types, wrong addresses and endless texts never reach the agent; everything else does."""
    wrong = [(fuzz.claim["spec"], status) for fuzz, status, _ in scene.tried if fuzz.refused != (status >= 400)]
    print(f"{len(scene.tried)} claims, {len(scene.tried) - len(scene.accepted())} refused by the schema")

    assert [(str(spec)[:200], status) for spec, status in wrong] == []


def test_claims_beside_them_become_ready(scene: Scene) -> None:
    names = [f"valid-{address[5:7]}{address[8:10]}" for address in VALID]

    wait_until(lambda: all(scene.person.ready(name) for name in names), f"{names} are Ready")


def test_each_is_told_what_becomes_of_it(scene: Scene) -> None:
    """On this node; those for others are not ours to speak of."""
    ours = [name for name, fuzz in scene.accepted().items() if fuzz.claim["spec"]["nodeName"] == NODE]

    def untold() -> list[str]:
        claims = scene.person.claims()
        return [name for name in ours if not reason(claims[name])]

    wait_until(lambda: not untold(), "each claim of this node has a reason")
    claims = scene.person.claims()
    print({word: sum(reason(claims[name]) == word for name in ours) for word in {reason(claims[n]) for n in ours}})
    for name, fuzz in scene.accepted().items():
        if name not in ours and fuzz.status is None:
            assert "status" not in claims[name], name


def test_all_of_them_can_be_deleted(scene: Scene) -> None:
    """Also those into whose status somebody wrote; and their devices can be claimed again."""
    claims = scene.person.claims()
    for name in scene.accepted():
        assert scene.person.ask("DELETE", f"{CLAIMS}/{name}")[0] < 300
    ours = {name for name in scene.accepted() if claims[name]["spec"]["nodeName"] == NODE}

    wait_until(lambda: not ours & scene.person.claims().keys(), f"{len(ours)} claims are gone", within=60)
    for address in (*TARGETS, *LIED_ABOUT):
        scene.person.ask("POST", CLAIMS, a_claim(f"after-{address[8:10]}", address))
    after = [f"after-{address[8:10]}" for address in (*TARGETS, *LIED_ABOUT)]
    wait_until(lambda: all(scene.person.ready(name) for name in after), "the devices are Ready for others")


def test_only_known_steps_are_taken_and_only_with_devices_that_are_there(scene: Scene) -> None:
    """What stands in a claim becomes neither a path nor a driver's name."""
    steps = {(step.get("address"), step["step"]) for step in scene.agent.events("step.taken")}

    assert {address for address, _ in steps} <= {*DEVICES, None}
    print(sorted({step for _, step in steps}))
    assert all("/" not in step and "\n" not in step and len(step) < 100 for _, step in steps)


def test_no_file_is_written_but_the_simulated_node_s(scene: Scene) -> None:
    """Every file that the agent's process opened for writing."""
    (simulated,) = scene.agent.events("node.simulated")
    tree = str(Path(simulated["folder"]).parent)
    written = {os.fsdecode(bytes.fromhex(line)) for line in scene.witness.read_text().splitlines()}
    ours = str(scene.witness.parent)  # where temporary files are
    outside = {path for path in written if "/" in path and not path.startswith((f"{tree}/", f"{ours}/"))}

    assert any(path.startswith(tree) for path in written), "the witness sees nothing"
    assert outside <= {"/dev/null", tree}


def test_after_all_of_them_the_agent_runs_and_no_reconcile_has_crashed(scene: Scene) -> None:
    assert scene.agent.process.poll() is None
    assert scene.agent.events("reconcile.crashed") == []
