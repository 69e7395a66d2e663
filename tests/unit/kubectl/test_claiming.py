"""Many are claimed or given back at once: what one of them is refused keeps none of the others."""

from __future__ import annotations

import argparse
import json

import pytest
import yaml

from pcidevices.api.reasons import Reason
from pcidevices.kubectl import claim, unclaim
from pcidevices.kubectl.flags import Parser
from pcidevices.kubectl.objects import CLAIMS
from pcidevices.kubectl.planning import planned
from tests.support.clusterobjects import GPU, NIC, SOUND, TWIN, a_claim, a_device, a_gpu, a_sound, condition
from tests.support.smallcluster import SmallCluster


GPU_NAME, SOUND_NAME, NIC_NAME, TWIN_NAME = "janus-00005e000", "janus-00005e001", "janus-00003b000", "janus-00003c000"
FORBIDDEN = (
    'Error from server (Forbidden): pcideviceclaims.devices.harvesterhci.io is forbidden: User "alice" cannot create '
    'resource "pcideviceclaims" in API group "devices.harvesterhci.io" at the cluster scope'
)
POLICY = "Error from server (Forbidden): a policy says: you may not claim this device"
INVALID = 'The PCIDeviceClaim "x" is invalid: \n* spec.address: Invalid value\n* spec.nodeName: Required value'
AWAY = "Unable to connect to the server: EOF"


def flags(module: object, *words: str) -> argparse.Namespace:
    parser = Parser(prog="kubectl x", allow_abbrev=False)
    module.add_flags(parser)  # type: ignore[attr-defined]
    return parser.parse_args(words)


def claimed(cluster: SmallCluster, *words: str) -> int:
    return claim.run(flags(claim, *words), cluster)


def unclaimed(cluster: SmallCluster, *words: str) -> int:
    return unclaim.run(flags(unclaim, *words), cluster)


@pytest.fixture
def cluster() -> SmallCluster:
    cluster = SmallCluster()
    cluster.has(a_gpu(), a_sound(), a_device(NIC), a_device(TWIN))
    return cluster


@pytest.mark.parametrize("words", [FORBIDDEN, POLICY, INVALID, "Error from server (AlreadyExists): it does"])
def test_one_that_is_refused_keeps_none_of_the_others_from_being_claimed(
    cluster: SmallCluster, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rights are given device by device."""
    cluster.refusals[NIC_NAME] = words

    assert claimed(cluster, GPU_NAME, NIC_NAME, TWIN_NAME, "--group") == 1
    assert cluster.claims() == [TWIN_NAME, GPU_NAME, SOUND_NAME]
    said, complained = capsys.readouterr()
    assert [line.split()[0].partition("/")[2] for line in said.splitlines()] == [GPU_NAME, TWIN_NAME, SOUND_NAME]
    assert complained.startswith(f"{words}\n")
    assert ("pcidevices-claimer" in complained) is (words == FORBIDDEN)


@pytest.mark.parametrize(("form", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
@pytest.mark.parametrize("words", [FORBIDDEN, AWAY])
def test_what_was_made_before_a_failure_is_printed_and_waited_for(
    cluster: SmallCluster, form: str, load: object, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.refusals[TWIN_NAME] = words

    assert claimed(cluster, NIC_NAME, TWIN_NAME, "-o", form, "--wait") == 1
    said, complained = capsys.readouterr()
    assert callable(load)
    assert load(said)["metadata"]["name"] == NIC_NAME
    assert "Ready" in complained
    assert words in complained


def test_a_server_that_is_away_is_asked_once(cluster: SmallCluster) -> None:
    cluster.refusals[NIC_NAME] = AWAY

    assert claimed(cluster, NIC_NAME, TWIN_NAME) == 1
    assert cluster.claims() == []


def test_the_missing_role_is_named_once_for_all(cluster: SmallCluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.refusals.update({NIC_NAME: FORBIDDEN, TWIN_NAME: FORBIDDEN})

    assert claimed(cluster, NIC_NAME, TWIN_NAME) == 1
    assert capsys.readouterr().err.count("pcidevices-claimer") == 1


def test_a_group_that_does_not_come_whole_is_not_waited_for(
    cluster: SmallCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was refused stays on the host, whatever was planned."""
    cluster.refusals[SOUND_NAME] = FORBIDDEN

    assert claimed(cluster, GPU_NAME, "--group") == 1
    assert f"Warning: {GPU_NAME}: GroupNotViable" in capsys.readouterr().err


def test_one_that_is_refused_keeps_none_of_the_others_from_being_given_back(
    cluster: SmallCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.has(a_claim(NIC), a_claim(TWIN), a_claim(GPU))
    cluster.refusals[NIC_NAME] = FORBIDDEN.replace("create", "delete")

    assert unclaimed(cluster, NIC_NAME, TWIN_NAME, GPU_NAME) == 1
    assert cluster.claims() == [NIC_NAME]
    said, complained = capsys.readouterr()
    assert [line.split('"')[1] for line in said.splitlines()] == [TWIN_NAME, GPU_NAME]
    assert "pcidevices-claimer" in complained


def test_of_a_group_of_mine_that_is_claimed_in_part_the_rest_is_claimed(
    cluster: SmallCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """The step that the doctor and the warning name."""
    cluster.has(a_claim(GPU, user="alice"))

    assert claimed(cluster, "--group", GPU_NAME) == 0
    assert cluster.claims() == [GPU_NAME, SOUND_NAME]
    assert capsys.readouterr().err == f"{GPU_NAME}: claimed already by alice\n"


@pytest.mark.parametrize("words", [(GPU_NAME,), (GPU_NAME, NIC_NAME), (GPU_NAME, "--wait")])
def test_what_another_has_is_refused_with_its_group(
    cluster: SmallCluster, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Who names it would think to have it; and half of another's group is not taken in passing."""
    cluster.has(a_claim(GPU, user="bob"))

    assert claimed(cluster, "--group", *words) == 1
    assert cluster.claims() == [GPU_NAME]
    assert capsys.readouterr() == (
        "",
        f"error: {GPU_NAME}: ClaimedByAnother: claim {GPU_NAME} of bob has it already\n",
    )


@pytest.mark.parametrize("refusal", ["Error from server (NotFound): no such API", "Error from server (Forbidden): no"])
@pytest.mark.parametrize("owner", ["", "alice"])
def test_who_cannot_be_told_from_others_has_nothing_yet(cluster: SmallCluster, owner: str, refusal: str) -> None:
    """On a server that does not say who asks, a claim of nobody may be anybody's."""
    cluster.has(a_claim(GPU, user=owner))
    cluster.refusals["/apis/authentication.k8s.io/v1/selfsubjectreviews"] = refusal

    assert claimed(cluster, "--group", GPU_NAME) == 1
    assert cluster.claims() == [GPU_NAME]


def test_without_its_group_what_is_claimed_is_refused(cluster: SmallCluster) -> None:
    cluster.has(a_claim(GPU))

    assert claimed(cluster, GPU_NAME) == 1
    assert cluster.claims() == [GPU_NAME]


def test_of_a_group_that_is_claimed_whole_nothing_is_left(
    cluster: SmallCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.has(a_claim(GPU), a_claim(SOUND))

    assert claimed(cluster, "--group", GPU_NAME) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "error: nothing is left to be claimed"


def test_devices_chosen_by_labels_that_are_claimed_are_left_out_with_their_groups(cluster: SmallCluster) -> None:
    """Nobody has named them: half of somebody's group is not taken in passing."""
    cluster.has(a_gpu(), kind="display")
    cluster.has(a_claim(GPU, user="bob"))

    assert claimed(cluster, "-l", "kind=display", "--group") == 1
    assert cluster.claims() == [GPU_NAME]


@pytest.mark.parametrize("group", [("--group",), ()])
def test_a_sibling_that_was_claimed_before_comes_along(cluster: SmallCluster, group: tuple[str, ...]) -> None:
    """The agent may not have bound it yet: the group is not viable for a moment, and nobody gives up for that."""
    cluster.has(a_claim(GPU))
    plan = planned(flags(claim, SOUND_NAME, *group), cluster)

    assert plan is not None
    assert plan.alone({SOUND_NAME}) == {}


@pytest.mark.parametrize("reason", [Reason.DEVICE_PROTECTED, "leaving"])
def test_a_sibling_that_the_agent_refuses_or_gives_back_does_not_come_along(cluster: SmallCluster, reason: str) -> None:
    told = condition("Ready", reason)
    cluster.has(a_claim(GPU, "janus", told, deleting=reason == "leaving"))
    plan = planned(flags(claim, SOUND_NAME), cluster)

    assert plan is not None
    assert [*plan.alone({SOUND_NAME})] == [SOUND_NAME]


def test_a_group_is_given_back_whole_although_labels_chose_a_part(
    cluster: SmallCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.has(a_gpu(), kind="display")
    cluster.has(a_sound(in_use_by=("default/vm",)))
    cluster.has(a_claim(GPU), a_claim(SOUND), a_claim(NIC))

    assert unclaimed(cluster, "-l", "kind=display", "--group") == 0
    assert cluster.claims() == [NIC_NAME]
    assert capsys.readouterr().err.startswith(f"{SOUND_NAME}: in use by default/vm")


def test_labels_alone_choose_no_more_than_they_say(cluster: SmallCluster) -> None:
    cluster.has(a_gpu(), kind="display")
    cluster.has(a_claim(GPU), a_claim(SOUND))

    assert unclaimed(cluster, "-l", "kind=display") == 0
    assert cluster.claims() == [SOUND_NAME]


@pytest.mark.parametrize("spec", [{"address": "0000:5e:00", "nodeName": "janus"}, {"address": 5}, "none"])
def test_a_claim_that_makes_no_sense_can_be_given_back_by_its_name(cluster: SmallCluster, spec: object) -> None:
    """It is older than the schema; nobody else takes notice of it."""
    cluster.put(CLAIMS, {"metadata": {"name": "old"}, "spec": spec})

    assert unclaimed(cluster, "old", "--wait") == 0
    assert cluster.claims() == []


def test_such_a_claim_is_not_gone_before_it_is_gone(cluster: SmallCluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.put(CLAIMS, {"metadata": {"name": "old"}, "spec": {"address": 5}})
    cluster.keeps.add("old")

    assert unclaimed(cluster, "old", "--wait", "--timeout=0s") == 1
    assert "old is not given back" in capsys.readouterr().err


def test_a_device_whose_status_makes_no_sense_is_found_and_cannot_be_claimed(
    cluster: SmallCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    next(iter(cluster.objects.values()))["status"]["numaNode"] = "zero"

    assert claimed(cluster, GPU_NAME) == 1
    assert capsys.readouterr().err.startswith(f"error: {GPU_NAME}: NotPublished: ")
