"""One first cause, whatever the facts are; and what each fact makes of a link."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from hypothesis import given
from hypothesis import strategies as st

from pcidevices import errors
from pcidevices.api.reasons import Reason
from pcidevices.api.v1beta1 import Condition, Look, PCIDeviceClaimStatus, PluginLook
from pcidevices.domain.address import PciAddress
from pcidevices.domain.diagnosis import Answer, Diagnosis, Facts, Mark, NodeSeen, Wish, diagnose
from pcidevices.domain.diagnosis.here import Here, diagnose_here
from pcidevices.domain.diagnosis.node import NodeFacts, diagnose_node
from pcidevices.domain.diagnosis.telling import ASCII, as_values, lines
from pcidevices.domain.diagnosis.together import taken_beside
from pcidevices.domain.diagnosis.wanting import use
from pcidevices.domain.permitted import KubeVirt
from tests.support.builders import NODE, a_claim, a_condition, a_gpu, a_published


GPU = a_gpu(driver="vfio-pci")
ADDRESS, NAME = str(GPU.address), GPU.address.object_name(NODE)
PUBLISHED = a_published(GPU)
RESOURCE = PUBLISHED.status.resource_name
WELL = {
    "Ready": a_condition("Ready", reason="Ready", message="virtual machines can have it"),
    "Allowed": a_condition("Allowed", reason="Allowed", message="the host does not use the device"),
    "Bound": a_condition("Bound", reason="Bound", message="it is on vfio-pci"),
    "GroupViable": a_condition("GroupViable", reason="Viable", message="it is alone"),
}
PLUGIN = PluginLook(resource_name=RESOURCE, socket="/k/x.sock", socket_found=True, registered=True, counted=True)
LOOK = Look(
    request="one",
    time="2026-01-01T00:00:00Z",
    found=True,
    kernel_driver_in_use="vfio-pci",
    on_vfio=True,
    iommu_enabled=True,
    iommu_group="14",
    vfio_module="vfio_pci",
    vfio_module_state="Loaded",
    plugin=PLUGIN,
)
KUBEVIRT = KubeVirt(namespace="kubevirt", name="kubevirt", uid="1", resource_version="1")
KNOWN = {*map(str, Reason), *(kind.reason for kind in vars(errors).values() if hasattr(kind, "reason"))}


def ready(**changed: Condition) -> Any:
    """A claim with these conditions, else well."""
    return a_claim(GPU, user_name="alice", status=PCIDeviceClaimStatus(conditions=tuple((WELL | changed).values())))


def facts(**changed: Any) -> Facts:
    """All is well, but for what is *changed*."""
    well: dict[str, Any] = {
        "name": NAME,
        "node_name": NODE,
        "address": ADDRESS,
        "device": PUBLISHED,
        "claims": (ready(),),
        "look": LOOK,
        "node": NodeSeen(capacity={RESOURCE: 1}, allocatable={RESOURCE: 1}),
        "kubevirts": (KUBEVIRT,),
    }
    return Facts(**(well | changed))


def looked(**changed: Any) -> Facts:
    return facts(look=msgspec.structs.replace(LOOK, **changed))


def plugged(**changed: Any) -> Facts:
    return looked(plugin=msgspec.structs.replace(PLUGIN, **changed))


def cause(of: Facts) -> tuple[str, str]:
    found = diagnose(of).cause
    return ("", "") if found is None else (found.what, found.reason)


def test_when_all_is_well_every_link_holds() -> None:
    found = diagnose(facts())

    assert {link.mark for link in found.links} == {Mark.HOLDS}
    assert found.worst is None


def test_what_the_fresh_look_sees_counts_more_than_what_was_said() -> None:
    assert cause(looked(found=False)) == ("device", "DeviceNotFound")
    assert cause(looked(problem="no vendor")) == ("device", "DeviceUnreadable")
    assert cause(looked(silent=True)) == ("bound", "DeviceSilent")
    assert cause(looked(step_under_way="unbind from vfio-pci")) == ("bound", "WriteTimedOut")
    assert cause(looked(iommu_enabled=False)) == ("iommu", "NoIommuGroup")
    assert cause(looked(iommu_group="")) == ("iommu", "NoIommuGroup")
    assert cause(looked(vfio_module_state="Missing")) == ("module", "DriverMissing")
    assert cause(looked(on_vfio=False, kernel_driver_in_use="nvidia")) == ("bound", "Binding")
    assert cause(looked(on_vfio=False, host_uses=("it is the console",))) == ("allowed", "DeviceProtected")
    assert cause(looked(blockers=("0000:04:00.1 is on snd",))) == ("group", "GroupNotViable")
    assert cause(looked(kubelet_problem="no answer")) == ("offered", "KubeletAway")
    assert cause(looked(plugin=None)) == ("offered", "NotRegistered")


def test_nobody_is_said_to_have_it_only_where_the_kubelet_says_who_has_what() -> None:
    nobody, unknown, process = (
        use(looked(kubelet_problem=problem, holders=holders))
        for problem, holders in (("", ()), ("no answer", ()), ("no answer", ("process 7 (qemu)",)))
    )

    assert nobody is not None
    assert (nobody.mark, nobody.fact) == (Mark.HOLDS, "nobody has it now")
    assert unknown is not None
    assert (unknown.mark, unknown.reason) == (Mark.DOUBT, "KubeletAway")
    assert "not known who has it" in unknown.fact
    assert "no answer" in unknown.fact
    assert process is not None
    assert process.fact == "process 7 (qemu) has it"


def test_a_node_that_is_not_ready_is_no_question_of_what_the_agent_mounts() -> None:
    lost = NodeSeen(is_ready=False, message="the kubelet stopped posting")
    found = [diagnose(facts(node=lost)), diagnose_node(NodeFacts(node_name=NODE, answer=Answer.ANSWERED, node=lost))]

    for cause_ in (each.cause for each in found):
        assert cause_ is not None
        assert (cause_.what, cause_.reason) == ("node", "KubeletAway")
        assert "journalctl -u kubelet" in cause_.next


def test_the_group_is_to_be_claimed_by_its_device_whatever_was_asked_about() -> None:
    found = diagnose(looked(blockers=("0000:04:00.1 is on snd",))).cause
    of_claim = diagnose(replace(looked(blockers=("0000:04:00.1 is on snd",)), name="mine")).cause

    assert found is not None
    assert of_claim is not None
    assert found.next == of_claim.next == f"kubectl claim --group {NAME}"


def test_a_condition_without_a_message_is_told_all_the_same() -> None:
    found = diagnose(facts(claims=(ready(Allowed=a_condition("Allowed", reason="Allowed", message="")),)))

    assert all(link.fact for link in found.links)


def test_a_plugin_is_told_of_as_it_stands() -> None:
    assert cause(plugged(registered=False, reason="RegistrationRefused")) == ("offered", "RegistrationRefused")
    assert cause(plugged(registered=False)) == ("offered", "NotRegistered")
    assert cause(plugged(socket_found=False)) == ("offered", "SocketGone")
    assert cause(plugged(strangers=("gpu-0",))) == ("kubelet", "SecondProvider")
    assert cause(plugged(unhealthy="it is on nvidia")) == ("kubelet", "NotCounted")
    assert cause(plugged(counted=False)) == ("kubelet", "NotCounted")


def test_without_a_look_it_is_what_the_objects_say() -> None:
    gone = a_published(GPU, conditions=[a_condition(status="False", reason="DeviceNotFound", message="it is gone")])
    lost = ready(GroupViable=a_condition("GroupViable", "False", reason="NoIommuGroup"))
    shared = ready(GroupViable=a_condition("GroupViable", "False", reason="GroupNotViable"))
    blind: dict[str, Any] = {"look": None, "answer": Answer.REFUSED, "words": "no right"}

    assert cause(facts(**blind)) == ("", "")
    assert cause(facts(**blind, device=gone)) == ("device", "DeviceNotFound")
    assert cause(facts(**blind, claims=(lost,))) == ("iommu", "NoIommuGroup")
    assert cause(facts(**blind, claims=(shared,))) == ("group", "GroupNotViable")


def test_an_agent_that_does_not_answer_is_the_cause_and_what_was_said_follows() -> None:
    found = diagnose(facts(look=None, answer=Answer.SILENT))

    assert found.cause is not None
    assert found.cause.reason == Reason.AGENT_SILENT
    assert [link.what for link in found.links][:3] == ["agent", "device", "claim"]


def test_a_claim_that_is_being_deleted_says_why_it_is_not_gone() -> None:
    waits = a_condition("Ready", "False", reason="DeviceInUse", message="a pod has it")

    assert cause(facts(claims=(replace(ready(Ready=waits), deleting=True),))) == ("claim", "DeviceInUse")
    assert cause(facts(claims=(replace(ready(), deleting=True),))) == ("claim", "Withdrawing")


def test_a_protection_that_was_overridden_is_none() -> None:
    overridden = ready(Allowed=a_condition("Allowed", reason="ProtectionOverridden", message="by annotation"))

    assert cause(facts(claims=(overridden,), look=msgspec.structs.replace(LOOK, host_uses=("console",)))) == ("", "")


def test_a_device_that_cannot_be_offered_says_why() -> None:
    taken = a_condition("Advertised", "False", reason="ResourceNameTaken", message="another has it")

    assert cause(facts(device=a_published(GPU, conditions=[taken]))) == ("ready", "ResourceNameTaken")


def test_an_unclaimed_device_is_told_how_to_be_claimed_and_whether_that_would_be_refused() -> None:
    found = diagnose(facts(claims=(), look=msgspec.structs.replace(LOOK, host_uses=("/dev/sda is mounted",))))

    assert found.cause is not None
    assert found.cause.next == f"kubectl claim {NAME} (it would be refused: /dev/sda is mounted)"


def test_who_waits_is_told_of_once_nothing_of_the_resource_is_free() -> None:
    def of_two(taken_beside: int) -> tuple[str, str]:
        two = NodeSeen(capacity={RESOURCE: 2}, allocatable={RESOURCE: 2})
        waits = Wish(who="pod default/third", resource_name=RESOURCE)
        held = looked(holders=("default/first",))
        return cause(replace(held, node=two, wishes=(waits,), taken_beside=taken_beside))

    assert of_two(0) == ("", "")
    assert of_two(1) == ("use", "DeviceInUse")


def test_what_a_person_may_not_read_is_doubtful_and_no_cause() -> None:
    unread = {"node": "no", "kubevirt": "no", "wishes": "no"}
    found = diagnose(facts(node=None, kubevirts=None, unread=unread))

    assert found.cause is None
    assert [link.what for link in found.links if link.mark is Mark.DOUBT] == ["node", "kubevirt", "wishes"]


def test_who_may_not_read_kubevirt_is_told_what_the_agent_found_there() -> None:
    def found(status: str, reason: str) -> Facts:
        return facts(kubevirts=None, claims=(ready(Permitted=a_condition("Permitted", status, reason=reason)),))

    assert cause(found("False", "ConflictingPermission")) == ("kubevirt", "ConflictingPermission")
    assert cause(found("True", "Permitted")) == ("", "")
    worst = diagnose(found("True", "FeatureGateOff")).worst
    assert worst is not None
    assert (worst.mark, worst.reason) == (Mark.DOUBT, "FeatureGateOff")


def test_only_a_name_that_is_almost_this_one_is_taken_for_misspelt() -> None:
    def wished(name: str) -> Facts:
        return facts(wishes=(Wish(who="pod default/x", resource_name=name),), resources=frozenset({RESOURCE}))

    assert cause(wished(RESOURCE.lower())) == ("wishes", "UnknownResource")
    assert cause(wished("intel.com/QAT")) == ("", "")
    assert cause(wished(RESOURCE)) == ("", "")


TWIN = a_published(replace(GPU, address=PciAddress.parse("0000:09:00.0")))
TWIN_CLAIM = replace(ready(), name="twin", uid="twin", address=PciAddress.parse("0000:09:00.0"))


def test_a_device_beside_it_is_taken_where_somebody_has_it_under_the_same_name() -> None:
    had = replace(TWIN, status=msgspec.structs.replace(TWIN.status, in_use_by=("default/second",)))
    asked = replace(PUBLISHED, status=msgspec.structs.replace(PUBLISHED.status, in_use_by=("default/first",)))
    claims = (ready(), TWIN_CLAIM)

    assert taken_beside(asked, (asked, had), claims) == 1
    assert taken_beside(asked, (asked, TWIN), claims) == 0
    assert taken_beside(asked, (asked, had), (ready(), replace(TWIN_CLAIM, disable_resource_pooling=True))) == 0
    assert taken_beside(asked, (asked, had), (ready(),)) == 0


def of_node(node: NodeSeen | None, *claims: Any) -> list[tuple[str, str]]:
    claimed = claims or (ready(), TWIN_CLAIM)
    seen = NodeFacts(
        node_name=NODE, answer=Answer.ANSWERED, look=LOOK, claims=claimed, devices=(PUBLISHED, TWIN), node=node
    )
    return [(link.reason, link.next) for link in diagnose_node(seen).links if link.mark is Mark.CAUSE]


def test_a_node_that_has_fewer_to_give_away_than_are_ready_is_told_with_a_device_to_ask_about() -> None:
    def having(number: int) -> NodeSeen:
        return NodeSeen(capacity={RESOURCE: number}, allocatable={RESOURCE: number})

    assert of_node(having(2)) == of_node(None) == []
    assert of_node(having(0)) == of_node(NodeSeen()) == [("NotCounted", f"kubectl pci doctor {NAME}")]
    ((reason, then),) = of_node(having(1))
    assert (reason, then) == ("NotCounted", f"kubectl pci doctor {NAME}; if that is well, the same for {TWIN.name}")


def test_of_what_is_not_ready_a_node_need_have_nothing() -> None:
    waits = ready(Ready=a_condition("Ready", "False", reason="Binding", message="on its way"))

    assert [reason for reason, _ in of_node(NodeSeen(), waits)] == ["Binding"]
    assert [reason for reason, _ in of_node(NodeSeen(is_ready=False), ready())] == ["KubeletAway"]


def test_what_shows_a_finding_works_whether_or_not_there_is_kubevirt() -> None:
    misspelt = Wish(who="pod default/x", resource_name=RESOURCE.lower())
    found = [
        diagnose(facts(kubevirts=())).worst,
        diagnose(facts(unread={"wishes": "no"})).worst,
        diagnose(facts(kubevirts=None, claims=(ready(),))).worst,
        diagnose(facts(wishes=(misspelt,))).worst,
    ]

    for link in found:
        assert link is not None
        assert link.command.startswith(("kubectl api-resources ", "kubectl auth can-i ", "kubectl get pods "))


def test_of_kubevirt_it_is_shown_what_is_wrong_and_what_can_be_done_about_it() -> None:
    no_gate = diagnose(facts(kubevirts=(replace(KUBEVIRT, has_gate=False),))).worst
    entry = {"pciVendorSelector": "10de:1c02", "resourceName": "nvidia.com/other", "externalResourceProvider": True}
    ours = {**entry, "resourceName": RESOURCE}
    renamed = diagnose(facts(kubevirts=(replace(KUBEVIRT, listed={"pciHostDevices": [entry, ours]}),))).worst
    twice = a_condition("Permitted", "True", reason="ConflictingPermission")
    said = diagnose(facts(kubevirts=None, claims=(ready(Permitted=twice),))).worst

    assert no_gate is not None
    assert "featureGates" in no_gate.command
    for link in (renamed, said):
        assert link is not None
        assert (link.reason, link.mark) == ("ConflictingPermission", Mark.DOUBT)
        assert "externalResourceProvider" not in link.next


CONDITIONS = st.builds(
    a_condition,
    st.sampled_from(("Ready", "Allowed", "Bound", "GroupViable")),
    st.sampled_from(("True", "False", "Unknown")),
    reason=st.sampled_from(sorted(map(str, Reason))),
    message=st.sampled_from(("", "so it is")),
)
CLAIMS = st.builds(
    lambda conditions, uid, deleting: a_claim(
        GPU, name=uid, uid=uid, deleting=deleting, status=PCIDeviceClaimStatus(conditions=tuple(conditions))
    ),
    st.lists(CONDITIONS, max_size=4, unique_by=lambda each: each.type),
    st.sampled_from(("a", "b", "c")),
    st.booleans(),
)
_TEXTS = st.sampled_from(((), ("one", "two")))
PLUGINS = st.builds(
    PluginLook,
    resource_name=st.just(RESOURCE),
    socket_found=st.booleans(),
    registered=st.booleans(),
    unhealthy=st.sampled_from(("", "it is on nvidia")),
    counted=st.booleans(),
    strangers=_TEXTS,
    reason=st.sampled_from(("", "KubeletAway")),
)
LOOKS = st.builds(
    Look,
    request=st.just("one"),
    time=st.just("2026-01-01T00:00:00Z"),
    found=st.booleans(),
    problem=st.sampled_from(("", "no vendor")),
    silent=st.booleans(),
    kernel_driver_in_use=st.sampled_from(("", "vfio-pci", "nvidia")),
    driver_override=st.sampled_from(("", "pci-stub")),
    on_vfio=st.booleans(),
    iommu_enabled=st.booleans(),
    iommu_group=st.sampled_from(("", "14")),
    blockers=_TEXTS,
    never=st.sampled_from(("", "it is a bridge")),
    host_uses=_TEXTS,
    holders=_TEXTS,
    vfio_module_state=st.sampled_from((None, "Loaded", "Loadable", "Missing")),
    outdated=_TEXTS,
    plugin=st.none() | PLUGINS,
    kubelet_problem=st.sampled_from(("", "no answer")),
)
COUNTS = st.sampled_from(({}, {RESOURCE: 0}, {RESOURCE: 2}))
LISTS = st.sampled_from(
    (
        None,
        {},
        {"pciHostDevices": [{"pciVendorSelector": "10de:1c02", "resourceName": RESOURCE}]},
        {
            "pciHostDevices": [
                {"pciVendorSelector": "10de:1c02", "resourceName": "a/b", "externalResourceProvider": True}
            ]
        },
    )
)
ANY = st.builds(
    Facts,
    name=st.just(NAME),
    node_name=st.just(NODE),
    address=st.just(ADDRESS),
    device=st.none() | st.just(PUBLISHED),
    claims=st.lists(CLAIMS, max_size=2, unique_by=lambda each: each.uid).map(tuple),
    refusal=st.none() | st.just(("Forbidden", "no", "")),
    answer=st.sampled_from(Answer),
    look=st.none() | LOOKS,
    was_outdated=_TEXTS,
    node=st.none() | st.builds(NodeSeen, is_ready=st.booleans(), capacity=COUNTS, allocatable=COUNTS),
    kubevirts=st.none()
    | st.lists(
        st.builds(lambda listed, gate: replace(KUBEVIRT, listed=listed, has_gate=gate), LISTS, st.booleans()),
        max_size=2,
    ).map(tuple),
    wishes=st.lists(
        st.builds(Wish, who=st.just("pod x/y"), resource_name=st.sampled_from((RESOURCE, RESOURCE.lower(), "a/b"))),
        max_size=2,
    ).map(tuple),
)


def _told(found: Diagnosis) -> None:
    """Every link can be told to a person, and has all that such a link needs."""
    for link in found.links:
        assert link.fact
        if link.mark is not Mark.HOLDS:
            assert link.reason in KNOWN
            assert link.next
            assert link.reference.startswith("docs/reference/reasons.md#")
    assert list(lines(found, ASCII))
    assert msgspec.json.encode(as_values("x", found))


@given(ANY)
def test_there_is_one_first_cause_and_nothing_is_told_of_what_comes_after_it(given_facts: Facts) -> None:
    found = diagnose(given_facts)
    causes = [link for link in found.links if link.mark is Mark.CAUSE and link.reason != Reason.AGENT_SILENT]

    assert len(causes) <= 1
    assert causes in ([], [found.links[-1]])
    _told(found)


@given(LOOKS | st.none(), st.lists(CLAIMS, max_size=3).map(tuple), st.sampled_from(Answer))
def test_a_node_is_told_of_with_every_claim_that_is_not_ready(look: Look | None, claims: Any, answer: Answer) -> None:
    found = diagnose_node(NodeFacts(node_name=NODE, answer=answer, look=look, claims=claims))
    not_ready = [
        each
        for each in claims
        if each.deleting or not any(c.type == "Ready" and c.status == "True" for c in each.status.conditions)
    ]

    assert sum(link.what == "claim" for link in found.links) == len(not_ready)
    _told(found)


@given(st.booleans(), LOOKS, st.booleans())
def test_the_node_itself_tells_with_the_same_words(enabled: bool, look: Look, heard: bool) -> None:  # noqa: FBT001
    here = Here(iommu_enabled=enabled, looks={ADDRESS: look}, sockets={"/k/x.sock": heard})

    _told(diagnose_here(here))
