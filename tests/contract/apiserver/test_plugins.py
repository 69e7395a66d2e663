"""The plug-ins for kubectl, called by the real kubectl as people call them; a test stands in for the agent."""

from __future__ import annotations

import json
import os
import sys

from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
import yaml

from pcidevices.api.v1beta1 import API_VERSION, GIVE_BACK_FINALIZER, NODE_LABEL
from tests.contract.apiserver.claiming import CLAIMS, claims_are_served, no_claims_are_left, until
from tests.contract.apiserver.client import Api
from tests.contract.apiserver.kubectl import PATIENCE, Kubectl
from tests.support.clusterobjects import BRIDGE, GPU, NIC, SOUND, a_device


DEVICES = f"/apis/{API_VERSION}/pcidevices"
RESOURCE = "pcideviceclaim.devices.harvesterhci.io"
GPU_NAME, SOUND_NAME = "janus-00005e000", "janus-00005e001"


class Person:
    """Somebody with kubectl, and an agent that does what the test says."""

    def __init__(self, api: Api, kubectl: Kubectl) -> None:
        self.api = api
        self._program = kubectl._program
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**kubectl.environment, "PATH": path}

    async def types(self, *words: str, status: int = 0) -> tuple[str, str]:
        """What kubectl prints, and what it complains of."""
        with anyio.fail_after(PATIENCE):
            done = await anyio.run_process([self._program, *words], check=False, env=self._environment)
        assert done.returncode == status, done.stderr.decode() + done.stdout.decode()
        return done.stdout.decode(), done.stderr.decode()

    async def device(self, address: str) -> None:
        """The agent shows a device."""
        device = a_device(address)
        meta = {"name": device.name, "labels": {NODE_LABEL: "janus", "for": "plugins"}}
        body = {"apiVersion": API_VERSION, "kind": "PCIDevice", "metadata": meta, "spec": {}}
        assert (await self.api.post(DEVICES, body)).status == HTTPStatus.CREATED
        status = msgspec.to_builtins(device.status, str_keys=True)
        await self.api.patch(f"{DEVICES}/{device.name}/status", {"status": status})

    async def claimed(self, name: str) -> dict[str, Any]:
        """The claim of this name, as soon as there is one."""
        await until(lambda: self.there_is(name))
        return dict((await self.api.get(f"{CLAIMS}/{name}")).body)

    async def there_is(self, name: str) -> bool:
        return (await self.api.get(f"{CLAIMS}/{name}")).status == HTTPStatus.OK

    async def turns(self, name: str, *conditions: tuple[str, str, str, str]) -> None:
        """The agent writes the conditions of a claim."""
        await self.claimed(name)
        told = [dict(zip(("type", "status", "reason", "message"), one, strict=True)) for one in conditions]
        await self.api.patch(f"{CLAIMS}/{name}", {"metadata": {"finalizers": [GIVE_BACK_FINALIZER]}})
        await self.api.patch(f"{CLAIMS}/{name}/status", {"status": {"conditions": told}})


@pytest.fixture
async def person(api: Api, kubectl: Kubectl) -> AsyncIterator[Person]:
    await claims_are_served(api)
    person = Person(api, kubectl)
    for address in (GPU, SOUND, NIC, BRIDGE):
        await person.device(address)
    yield person
    await no_claims_are_left(api)
    await api.delete(f"{DEVICES}?labelSelector=for%3Dplugins")


async def test_a_claim_is_made_in_the_name_of_who_asks(person: Person) -> None:
    said, _ = await person.types("claim", "82599", "--reason", "a router", "--disable-resource-pooling")

    claim = await person.claimed("janus-00003b000")
    assert said == f"{RESOURCE}/janus-00003b000 created\n"
    assert claim["spec"] == {
        "address": NIC,
        "nodeName": "janus",
        "userName": "admin",
        "disableResourcePooling": True,
    }
    assert claim["metadata"]["annotations"] == {"devices.harvesterhci.io/reason": "a router"}


async def test_impersonation_is_kubectls_and_so_is_the_name_in_the_claim(person: Person) -> None:
    await person.types("claim", "82599", "--as=alice", "--as-group=system:masters")

    assert (await person.claimed("janus-00003b000"))["spec"]["userName"] == "alice"


async def test_a_group_is_claimed_as_a_whole(person: Person) -> None:
    said, complained = await person.types("claim", "janus", "5e:00.0", "--group", "-o", "name")

    assert said.split() == [f"{RESOURCE}/{GPU_NAME}", f"{RESOURCE}/{SOUND_NAME}"]
    assert complained == ""


async def test_half_a_group_is_claimed_with_a_warning(person: Person) -> None:
    _, complained = await person.types("claim", "gtx")

    assert complained == (
        f"Warning: {GPU_NAME}: GroupNotViable: IOMMU group 15 is shared: {SOUND} is on snd_hda_intel; "
        "claim it too (--group)\n"
    )


@pytest.mark.parametrize("run", ["client", "server"])
async def test_a_dry_run_keeps_nothing(person: Person, run: str) -> None:
    said, _ = await person.types("claim", NIC, f"--dry-run={run}", "-o", "yaml")
    await person.types("claim", NIC, f"--dry-run={run}")

    assert yaml.safe_load(said)["spec"]["address"] == NIC
    assert not await person.there_is("janus-00003b000")


async def test_what_cannot_be_claimed_is_refused_before_anything_is_made(person: Person) -> None:
    _, complained = await person.types("claim", "82599", BRIDGE, status=1)

    assert complained.startswith("error: janus-0000001e0: NotClaimable: 0000:00:1e.0 is a bridge (class 0604)")
    assert not await person.there_is("janus-00003b000")


async def test_what_is_claimed_already_names_its_owner(person: Person) -> None:
    await person.types("claim", NIC)
    _, complained = await person.types("claim", NIC, status=1)

    assert complained == "error: janus-00003b000: ClaimedByAnother: claim janus-00003b000 of admin has it already\n"


async def test_waiting_tells_each_condition_as_it_turns(person: Person) -> None:
    async def agent() -> None:
        allowed = ("Allowed", "True", "Allowed", "the host does not use the device")
        await person.turns("janus-00003b000", allowed, ("Ready", "False", "Binding", "on its way"))
        await anyio.sleep(0.3)  # waits: so that the two are seen one by one
        await person.turns("janus-00003b000", allowed, ("Ready", "True", "Ready", "virtual machines can have it"))

    async with anyio.create_task_group() as tg:
        tg.start_soon(agent)
        said, _ = await person.types("claim", NIC, "--wait")

    lines = said.splitlines()
    assert lines[0] == f"{RESOURCE}/janus-00003b000 created"
    assert lines[1].split()[2:] == ["Allowed", "the", "host", "does", "not", "use", "the", "device"]
    assert lines[-1].split()[2:] == ["Ready", "virtual", "machines", "can", "have", "it"]


async def test_a_refusal_of_the_agent_ends_the_wait_with_its_words(person: Person) -> None:
    async def agent() -> None:
        refusal = ("False", "DeviceProtected", "/dev/sda1 is mounted at /")
        await person.turns("janus-00003b000", ("Allowed", *refusal), ("Ready", *refusal))

    async with anyio.create_task_group() as tg:
        tg.start_soon(agent)
        _, complained = await person.types("claim", NIC, "--wait", "--timeout=50s", status=1)

    assert f"{RESOURCE}/janus-00003b000 is refused: DeviceProtected: /dev/sda1 is mounted at /" in complained


async def test_the_end_of_patience_says_why_it_is_not_ready(person: Person) -> None:
    _, complained = await person.types("claim", NIC, "--wait", "--timeout=1s", status=1)

    assert f"{RESOURCE}/janus-00003b000 is not Ready after 1 s: no agent has looked at it" in complained
    assert await person.there_is("janus-00003b000")


async def test_giving_back_says_who_has_it_and_waits_until_the_claim_is_gone(person: Person) -> None:
    await person.types("claim", NIC)
    ready = ("Ready", "True", "Ready", "")
    await person.turns("janus-00003b000", ready)
    in_use = {"status": {"inUseBy": ["default/router"]}}
    await person.api.patch(f"{DEVICES}/janus-00003b000/status", in_use)

    async def agent() -> None:
        await until(deleted)
        await person.turns("janus-00003b000", ("Ready", "False", "DeviceInUse", "default/router has it"))
        await anyio.sleep(0.3)  # waits: so that this is seen
        await person.api.patch(f"{CLAIMS}/janus-00003b000", {"metadata": {"finalizers": []}})

    async def deleted() -> bool:
        return "deletionTimestamp" in (await person.api.get(f"{CLAIMS}/janus-00003b000"))["metadata"]

    async with anyio.create_task_group() as tg:
        tg.start_soon(agent)
        said, complained = await person.types("unclaim", NIC, "--wait")

    assert complained == "janus-00003b000: in use by default/router; it is given back when they end\n"
    first, *_, before_last, last = said.splitlines()
    assert first == f'{RESOURCE} "janus-00003b000" deleted'
    assert before_last.endswith("DeviceInUse: default/router has it")
    assert last.endswith("given back")


async def test_giving_back_what_nobody_has_claimed_is_an_error(person: Person) -> None:
    assert await person.types("unclaim", NIC, status=1) == ("", "error: janus-00003b000 is not claimed\n")


async def test_devices_are_listed_filtered_and_printed_as_they_are(person: Person) -> None:
    await person.types("claim", NIC)

    claimed, _ = await person.types("pci", "list", "-l", "for=plugins", "--claimed", "--no-headers")
    as_json, _ = await person.types("pci", "list", "-l", "for=plugins", "nvidia", "-o", "json")
    as_names, _ = await person.types("pci", "list", "-l", "for=plugins", "--unclaimed", "-o", "name")

    assert claimed.split()[:6] == ["janus", NIC, "-", "12", "ixgbe", "Pending"]
    assert [item["status"]["address"] for item in json.loads(as_json)["items"]] == [GPU, SOUND]
    assert len(as_names.splitlines()) == 3


async def test_a_node_a_device_its_amounts_and_its_machine_are_shown(person: Person) -> None:
    await person.types("claim", "gtx", "--group")
    await person.turns(GPU_NAME, ("Ready", "True", "Ready", "virtual machines can have it"))

    tree, _ = await person.types("pci", "tree", "janus")
    described, _ = await person.types("pci", "describe", "gtx")
    top, _ = await person.types("pci", "top")
    machine, complained = await person.types("pci", "vm", "gtx")
    container, complained_too = await person.types("pci", "pod", "gtx")

    assert "IOMMU group 15" in tree
    assert f"{SOUND}  Audio device" in described
    assert top.splitlines()[1].split()[1:7] == ["nvidia.com/GP106_GEFORCE_GTX_1060_3GB", "1", "1", "1", "0", "1"]
    assert [*yaml.safe_load(machine)["devices"]] == ["gpus", "hostDevices"]
    assert [*yaml.safe_load(container)["resources"]["limits"].values()] == ["1", "1"]
    assert complained_too == complained
    assert complained.startswith(f"Warning: {SOUND_NAME} is not Ready: no agent has looked at it")


async def test_kubectl_completes_names_of_what_can_be_claimed_and_given_back(person: Person) -> None:
    await person.types("claim", "gtx")

    free, _ = await person.types("__complete", "claim", "janus-")
    taken, _ = await person.types("__complete", "unclaim", "")

    assert [line.partition("\t")[0] for line in free.splitlines()] == ["janus-00003b000", SOUND_NAME, ":4"]
    assert [line.partition("\t")[0] for line in taken.splitlines()] == [GPU_NAME, ":4"]


async def test_a_person_without_rights_is_told_which_role_is_missing(person: Person, api_kind: str) -> None:
    """The embedded server lets everybody do everything."""
    if api_kind == "embedded":
        pytest.skip("needs RBAC")
    _, complained = await person.types("pci", "list", "--as=nobody", status=1)

    refusal, hint = complained.splitlines()
    assert refusal.startswith(
        'Error from server (Forbidden): pcideviceclaims.devices.harvesterhci.io is forbidden: User "nobody"'
    )
    assert "ClusterRole pcidevices-viewer" in hint
