"""KubeVirt's list of what virtual machines may ask for: many agents, one object, and the entries of others."""

from __future__ import annotations

import json
import random

from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from structlog.testing import capture_logs

from pcidevices.adapters.kube.kubevirt import KubeKubeVirts
from pcidevices.domain.permitted import Ours, Permission, Write, decide
from pcidevices.errors import Conflict
from tests.contract.apiserver.kubevirts import (
    ANNOTATION,
    Node,
    installed,
    kubevirt_is_installed,
    kubevirt_is_removed,
    listing,
    make_kubevirt,
    path_of,
    permitted_at,
    remembered_at,
)


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from pcidevices.adapters.kube.client import KubeClient
    from tests.contract.apiserver.client import Api


CARD, OTHER_CARD = "0000:04:00.0", "0000:05:00.0"
GPU = Permission("10de:1c02", "nvidia.com/GP106")
NIC = Permission("8086:15f9", "intel.com/I219")
THEIRS: dict[str, Any] = {
    "resourceName": "a.com/b",
    "pciVendorSelector": "1234:5678",
    "zeta": {"b": 1, "a": [None, 2.5]},
}
MDEV = {"mdevNameSelector": "GRID T4-1Q", "resourceName": "nvidia.com/GRID"}
AGENTS, TURNS = 50, 12


@pytest.fixture
async def kubevirt(api: Api, client: KubeClient) -> AsyncIterator[KubeKubeVirts]:
    """The port, of a cluster with KubeVirt's definition and no object of it."""
    async with installed(api):
        yield KubeKubeVirts(client)


@pytest.fixture
async def node(api: Api, client: KubeClient, kubevirt: KubeKubeVirts) -> Node:  # noqa: ARG001  installed
    """A node with two cards of one model."""
    here = Node(api, client, "janus")
    for address in (CARD, OTHER_CARD):
        await here.has(address, *GPU)
    return here


async def test_kubevirt_is_found_wherever_it_is(api: Api, kubevirt: KubeKubeVirts) -> None:
    await make_kubevirt(api, listing(THEIRS), name="some")

    (found,) = await kubevirt.find()

    assert str(found) == f"{api.namespace}/some"
    assert found.listed == {"pciHostDevices": [THEIRS]}
    assert (found.ours, found.has_gate, found.is_managed) == (Ours(), True, False)


async def test_all_are_found_unless_one_is_named(api: Api, client: KubeClient, kubevirt: KubeKubeVirts) -> None:
    for name in ("a", "b"):
        await make_kubevirt(api, name=name)

    assert len(await kubevirt.find()) == 2
    assert [one.name for one in await KubeKubeVirts(client, (api.namespace, "b")).find()] == ["b"]
    assert await KubeKubeVirts(client, (api.namespace, "c")).find() == ()


async def test_without_the_definition_none_is_found(api: Api, client: KubeClient) -> None:
    await kubevirt_is_installed(api)
    await kubevirt_is_removed(api)

    assert await KubeKubeVirts(client).find() == ()
    assert await KubeKubeVirts(client, (api.namespace, "kubevirt")).find() == ()


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"app.kubernetes.io/managed-by": "hco-operator"}},
        {"ownerReferences": [{"apiVersion": "hco/v1", "kind": "HyperConverged", "name": "hco", "uid": "1"}]},
    ],
)
async def test_hyperconverged_is_recognised(api: Api, kubevirt: KubeKubeVirts, metadata: dict[str, Any]) -> None:
    await make_kubevirt(api, **metadata)

    assert (await kubevirt.find())[0].is_managed


async def test_the_list_is_written_with_the_version_that_was_read(api: Api, kubevirt: KubeKubeVirts) -> None:
    path = await make_kubevirt(api)
    (old,) = await kubevirt.find()
    write = decide(old.listed, old.ours, {GPU}, ())
    assert isinstance(write, Write)

    written = await kubevirt.write(old, write)

    assert (written.listed, written.ours) == ({"pciHostDevices": [GPU.entry]}, write.ours)
    with pytest.raises(Conflict):
        await kubevirt.write(old, write)
    assert await permitted_at(api, path) == {"pciHostDevices": [GPU.entry]}


async def test_a_claim_is_let_through_and_no_longer(api: Api, node: Node) -> None:
    path = await make_kubevirt(api, listing(THEIRS, mediatedDevices=[MDEV]))
    before = json.dumps(await permitted_at(api, path))
    await node.claim(CARD)

    await node.look()

    assert await permitted_at(api, path) == listing(THEIRS, GPU.entry, mediatedDevices=[MDEV])
    assert json.loads(await remembered_at(api, path) or "") == ["10de:1c02 nvidia.com/GP106"]

    await node.release(CARD)
    await node.look()

    assert json.dumps(await permitted_at(api, path)) == before
    assert await remembered_at(api, path) is None


async def test_the_last_of_equal_devices_takes_the_entry_along(api: Api, node: Node) -> None:
    path = await make_kubevirt(api, listing())
    for address in (CARD, OTHER_CARD):
        await node.claim(address)
    await node.look()

    await node.release(CARD)
    await node.look()
    assert await permitted_at(api, path) == listing(GPU.entry)

    await node.release(OTHER_CARD)
    await node.look()
    assert await permitted_at(api, path) == listing()


async def test_what_another_node_needs_stays(api: Api, client: KubeClient, node: Node) -> None:
    path = await make_kubevirt(api, listing())
    other = Node(api, client, "other")
    await other.has(CARD, *GPU)
    for one in (node, other):
        await one.claim(CARD)
        await one.look()

    await node.release(CARD)
    await node.look()

    assert await permitted_at(api, path) == listing(GPU.entry)


async def test_another_name_or_a_refused_claim_does_not_keep_it(api: Api, client: KubeClient, node: Node) -> None:
    path = await make_kubevirt(api, listing())
    other = Node(api, client, "other")
    await other.has(CARD, GPU.selector, "nvidia.com/OTHER")
    await other.has(OTHER_CARD, *GPU)
    await other.claim(CARD)
    await other.claim(OTHER_CARD, allowed="False")
    await node.claim(CARD)
    for one in (node, other):
        await one.look()

    await node.release(CARD)
    await node.look()

    assert await permitted_at(api, path) == listing(Permission(GPU.selector, "nvidia.com/OTHER").entry)


async def test_a_claim_whose_device_is_not_told_keeps_all_of_its_model(
    api: Api, client: KubeClient, node: Node, kubevirt: KubeKubeVirts
) -> None:
    """In doubt it is needed."""
    other = Node(api, client, "other")
    await other.has(CARD, *GPU)
    await other.claim(CARD)
    await api.delete("/apis/devices.harvesterhci.io/v1beta1/pcidevices/other-000004000")

    assert await kubevirt.still_needed({GPU, NIC}) == {GPU}
    assert await node.reconciler._kubevirts.still_needed({NIC}) == set()


async def test_claims_are_asked_for_page_by_page(client: KubeClient, node: Node) -> None:
    await node.has("0000:06:00.0", *NIC)
    for address in (CARD, OTHER_CARD, "0000:06:00.0"):
        await node.claim(address)

    assert await KubeKubeVirts(client, page=1).still_needed({GPU, NIC}) == {GPU, NIC}


async def test_what_was_free_is_free_again(api: Api, node: Node) -> None:
    path = await make_kubevirt(api)
    await node.claim(CARD)
    with capture_logs() as logs:
        await node.look()
    assert await permitted_at(api, path) == listing(GPU.entry)
    assert [entry["event"] for entry in logs] == ["permitted.restricted", "permitted.added"]

    await node.release(CARD)
    await node.look()

    assert await permitted_at(api, path) is None


async def test_at_rest_nothing_is_written(api: Api, node: Node) -> None:
    path = await make_kubevirt(api, listing(THEIRS))
    await node.claim(CARD)
    await node.look()
    before = (await api.get(path)).version

    for _ in range(3):
        await node.look()

    assert (await api.get(path)).version == before


async def test_kubevirt_that_is_installed_later_is_picked_up(api: Api, node: Node) -> None:
    await kubevirt_is_removed(api)
    await node.claim(CARD)
    with capture_logs() as logs:
        for _ in range(3):
            await node.look()
    assert [(entry["event"], entry["reason"]) for entry in logs] == [("permitted.doubted", "KubeVirtNotFound")]
    assert node.reconciler.findings[GPU.resource_name].status == "Unknown"

    await kubevirt_is_installed(api)
    path = await make_kubevirt(api)
    await node.look()

    assert await permitted_at(api, path) == listing(GPU.entry)
    assert node.reconciler.findings[GPU.resource_name].holds


async def test_none_of_several_is_taken(api: Api, node: Node) -> None:
    paths = [await make_kubevirt(api, name=name) for name in ("a", "b")]
    await node.claim(CARD)

    await node.look()

    assert [await permitted_at(api, path) for path in paths] == [None, None]
    found = node.reconciler.findings[GPU.resource_name]
    assert found.message.endswith(f"{api.namespace}/a, {api.namespace}/b")


async def test_an_operator_that_takes_the_entry_out_wins(api: Api, node: Node) -> None:
    path = await make_kubevirt(api, listing(), labels={"app.kubernetes.io/managed-by": "hco-operator"})
    undo = {"spec": {"configuration": {"permittedHostDevices": listing(THEIRS)}}}
    await node.claim(CARD)
    for _ in range(3):
        await node.look()
        await api.patch(path, undo)
    before = (await api.get(path)).version

    for _ in range(3):
        await node.look()

    assert (await api.get(path)).version == before
    found = node.reconciler.findings[GPU.resource_name]
    assert (found.status, found.reason) == ("False", "NotPermitted")
    assert "HyperConverged" in found.message


MODELS = [Permission(f"10de:{1000 + number}", f"nvidia.com/CARD_{number}") for number in range(6)]


async def a_cluster(api: Api, client: KubeClient, counts: Counter[str]) -> list[Node]:
    """Nodes with three cards each; on each fifth node the cards have names that no other node gives them."""
    nodes = [Node(api, client, f"node-{number}", counts=counts) for number in range(AGENTS)]

    async def equip(number: int, node: Node) -> None:
        for slot in range(3):
            model = MODELS[(number + slot * 2) % len(MODELS)]
            own = f"_{number}" if number % 5 == 0 else ""
            await node.has(f"0000:0{slot}:00.0", model.selector, f"{model.resource_name}{own}")

    async with anyio.create_task_group() as tg:
        for number, node in enumerate(nodes):
            tg.start_soon(equip, number, node)
    return nodes


def text(entry: Any) -> str:
    """All of it; the order of keys is the server's."""
    return json.dumps(entry, sort_keys=True)


class Uses:
    """How many claims there are for each resource, and how often the list had to change for that."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._claims: Counter[str] = Counter()

    def change(self, node: Node, address: str, by: int) -> None:
        name = node.resource_of(address)
        self._claims[name] += by
        self._counts["changes"] += 1
        self._counts["changes that matter"] += (self._claims[name], by) in {(1, 1), (0, -1)}


async def people(node: Node, chance: random.Random, uses: Uses) -> None:
    """Somebody claims and releases the cards of a node at random."""
    for _ in range(TURNS):
        address = f"0000:0{chance.randrange(3)}:00.0"
        if address in node.claims():
            await node.release(address)
            uses.change(node, address, -1)
        else:
            await node.claim(address)
            uses.change(node, address, 1)
        await anyio.sleep(chance.uniform(0, 0.2))  # waits: the rhythm of the example


async def another_writer(api: Api, path: str, theirs: list[dict[str, Any]], counts: Counter[str]) -> None:
    """Somebody else who puts entries at the end and takes others out, with the version that was read."""
    for number in range(20):
        while True:
            now = await api.get(path)
            entries = (now["spec"]["configuration"].get("permittedHostDevices") or {}).get("pciHostDevices") or []
            if number % 4 == 3:
                gone, entry = theirs[1], None
                entries = [one for one in entries if one != gone]
            else:
                gone, entry = None, {"pciVendorSelector": f"ffff:{number:04x}", "resourceName": "x/y", "zeta": [number]}
                entries = [*entries, entry]
            spec = {"configuration": {"permittedHostDevices": {"pciHostDevices": entries}}}
            answer = await api.patch(path, {"metadata": {"resourceVersion": now.version}, "spec": spec})
            if answer.status == 200:
                break
        counts["writes of others"] += 1
        if gone is not None:
            theirs.remove(gone)
        if entry is not None:
            theirs.append(entry)
        await anyio.sleep(0.1)  # waits: the rhythm of the example


async def in_the_end(true: Callable[[], Awaitable[bool]]) -> None:
    """Fifty agents in one process, on a machine that may be busy, take their time."""
    with anyio.fail_after(90):
        while not await true():  # noqa: ASYNC110 - no event tells
            await anyio.sleep(0.1)  # waits: oftener would take from the agents what they need


async def test_fifty_agents_and_others_share_one_list(
    api: Api,
    client: KubeClient,
    kubevirt: KubeKubeVirts,  # noqa: ARG001  installed
    record_property: Any,
) -> None:
    """No entry of others is lost, moved or changed, and ours are what claims need, with few writes."""
    counts: Counter[str] = Counter()
    uses = Uses(counts)
    theirs = [THEIRS, {"pciVendorSelector": "ffff:aaaa", "resourceName": "x/y"}]
    path = await make_kubevirt(api, listing(*theirs, mediatedDevices=[MDEV]))
    nodes = await a_cluster(api, client, counts)

    def needed() -> set[Permission]:
        return set().union(*(node.reconciler._needed(node.registry.snapshot) for node in nodes))

    async def right() -> bool:
        now = await permitted_at(api, path)
        ours = Ours.parse(await remembered_at(api, path)).permissions
        mine = [one for one in now["pciHostDevices"] if one not in theirs]
        return ours == needed() and sorted(map(text, mine)) == sorted(text(one.entry) for one in ours)

    async with anyio.create_task_group() as tg:
        for node in nodes:
            node.start(tg)
        async with anyio.create_task_group() as using:
            using.start_soon(another_writer, api, path, theirs, counts)
            for number, node in enumerate(nodes):
                using.start_soon(people, node, random.Random(number), uses)
        began = anyio.current_time()
        await in_the_end(right)
        counts["milliseconds until right"] = round((anyio.current_time() - began) * 1000)
        busy = counts["writes"]
        async with anyio.create_task_group() as using:
            for node in nodes:
                for address in node.claims():
                    using.start_soon(node.release, address)
        await in_the_end(right)
        counts["writes for the last releases"] = counts["writes"] - busy
        tg.cancel_scope.cancel()

    after = await permitted_at(api, path)
    assert list(map(text, after["pciHostDevices"])) == list(map(text, theirs))
    assert after["mediatedDevices"] == [MDEV]
    assert ANNOTATION not in (await api.get(path))["metadata"].get("annotations", {})
    assert path == path_of(api.namespace)
    record_property("counts", dict(counts))
    assert counts["changes"] == AGENTS * TURNS
    assert busy <= counts["changes that matter"]
