"""What the manifests promise, whatever overlay is chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pcidevices import __version__
from pcidevices.api.crd import definitions
from pcidevices.cli import _parser
from pcidevices.settings import resolve
from tests.manifests.built import COMPONENTS, OVERLAYS, ROOT, agent, built, composed, only, overlay


READ_ONLY = "read-only"
CLAIMING = [name for name in OVERLAYS if name != READ_ONLY]
SEES_PROCESSES = ["SYS_PTRACE", "DAC_READ_SEARCH"]
WRITTEN_TO = {"/host/sys/bus/pci", "/host/sys/devices", "/var/lib/kubelet/device-plugins"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_pod_is_not_privileged(name: str) -> None:
    """Root alone, without its powers, in namespaces of its own."""
    pod, container = agent(overlay(name))
    security = container["securityContext"]

    assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & set(pod)
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (security["privileged"], security["allowPrivilegeEscalation"]) == (False, False)
    assert security["readOnlyRootFilesystem"]
    assert security["capabilities"]["drop"] == ["ALL"]
    assert security["capabilities"].get("add", []) == ([] if name == READ_ONLY else ["SYS_MODULE"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_only_what_must_be_is_writable(name: str) -> None:
    """The drivers' files, and the folder where device plug-ins listen; with read-only nothing of the host at all."""
    pod, container = agent(overlay(name))
    of_the_host = {volume["name"] for volume in pod["volumes"] if "hostPath" in volume}

    writable = {
        mount["mountPath"]
        for mount in container["volumeMounts"]
        if mount["name"] in of_the_host and not mount.get("readOnly")
    }

    assert writable == (set() if name == READ_ONLY else WRITTEN_TO)
    assert of_the_host <= {mount["name"] for mount in container["volumeMounts"]}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_agent_understands_its_arguments(name: str) -> None:
    """Every flag is a setting, and says where a mount is."""
    _, container = agent(overlay(name))
    flags = _parser().parse_args(container["args"])
    settings = resolve(flags.command, flags, {"NODE_NAME": "janus", "POD_NAMESPACE": "x"})
    mounts = {Path(mount["mountPath"]) for mount in container["volumeMounts"]}

    assert settings.command == "agent"
    assert {settings.proc, settings.dev, settings.udev, settings.modules} <= mounts
    assert {settings.sysfs / part for part in ("bus/pci", "devices", "class", "module", "fs")} <= mounts
    assert {settings.kubelet_dir / part for part in ("device-plugins", "pod-resources")} <= mounts


@pytest.mark.parametrize("name", OVERLAYS)
def test_two_agents_never_share_a_node(name: str) -> None:
    """They would fight over the kubelet's sockets."""
    daemon_set = only(overlay(name), "DaemonSet")

    assert daemon_set["spec"]["updateStrategy"]["rollingUpdate"]["maxSurge"] == 0


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_image_is_of_this_version(name: str) -> None:
    """The manifests of a release roll out that release."""
    _, container = agent(overlay(name))

    assert container["image"] == f"pcidevices:{__version__}"


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_definitions_are_those_of_the_types(name: str) -> None:
    """Kustomize adds labels, nothing else."""
    found = {one["metadata"]["name"]: one["spec"] for one in overlay(name) if one["kind"] == "CustomResourceDefinition"}

    assert found == {one["metadata"]["name"]: one["spec"] for one in definitions()}


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_right_is_a_wildcard(name: str) -> None:
    """Each verb, resource and group is named; nobody reads secrets or pods."""
    roles = [one for one in overlay(name) if one["kind"] in {"ClusterRole", "Role"}]
    rules = [rule for role in roles for rule in role["rules"]]

    assert rules
    for rule in rules:
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]], rule
        assert not {"secrets", "pods", "configmaps", "serviceaccounts"} & set(rule["resources"]), rule


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_policy_denies(name: str) -> None:
    """A policy without a binding, or with one that only warns, would be none."""
    policies = {one["metadata"]["name"] for one in overlay(name) if one["kind"] == "ValidatingAdmissionPolicy"}
    bindings = [one["spec"] for one in overlay(name) if one["kind"] == "ValidatingAdmissionPolicyBinding"]
    specs = [one["spec"] for one in overlay(name) if one["kind"] == "ValidatingAdmissionPolicy"]

    assert {binding["policyName"] for binding in bindings} == policies
    assert all(binding["validationActions"] == ["Deny"] for binding in bindings)
    assert all(spec["failurePolicy"] == "Fail" for spec in specs)


@pytest.mark.parametrize("name", OVERLAYS)
def test_policies_and_bindings_mean_the_same_account(name: str) -> None:
    """What policies say of agents holds for the account that the DaemonSet runs with."""
    objects = overlay(name)
    pod, _ = agent(objects)
    namespace = only(objects, "DaemonSet")["metadata"]["namespace"]
    account = f"system:serviceaccount:{namespace}:{pod['serviceAccountName']}"
    policies = [one for one in objects if one["kind"] == "ValidatingAdmissionPolicy"]

    for policy in policies:
        for condition in policy["spec"].get("matchConditions", ()):
            if condition["name"] in {"by-an-agent", "not-by-an-agent"}:
                assert f"'{account}'" in condition["expression"], policy["metadata"]["name"]


@pytest.mark.parametrize(("name", "namespace"), [("kubevirt", "kubevirt"), ("harvester", "harvester-system")])
def test_kubevirt_is_where_the_agent_looks_for_it(name: str, namespace: str) -> None:
    """The role and the flag name the same object."""
    objects = overlay(name)
    _, container = agent(objects)
    role = only(objects, "Role", "pcidevices-agent-permits")
    binding = only(objects, "RoleBinding", "pcidevices-agent-permits")

    (given,) = (word for word in container["args"] if word.startswith("--kubevirt="))

    assert given == f"--kubevirt={namespace}/{role['rules'][0]['resourceNames'][0]}"
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == namespace


def test_read_only_may_not_touch_claims() -> None:
    """Neither by its role, nor is anybody let make one."""
    objects = overlay(READ_ONLY)
    role = only(objects, "ClusterRole", "pcidevices-agent")
    claims = [rule for rule in role["rules"] if any("claims" in name for name in rule["resources"])]

    assert [rule["verbs"] for rule in claims] == [["list", "watch"]]
    assert only(objects, "ValidatingAdmissionPolicy", "pcidevices-no-claims")
    assert not [one for one in objects if one["kind"] == "Role"]


@pytest.mark.parametrize("name", COMPONENTS)
def test_each_component_goes_with_the_base(name: str, tmp_path: Path) -> None:
    """So that people can compose an overlay of their own."""
    objects = composed(tmp_path, name)

    added = agent(objects)[1]["securityContext"]["capabilities"]["add"]

    usual = ["SYS_MODULE"]
    assert added == {"no-modules": [], "see-processes": [*usual, *SEES_PROCESSES]}.get(name, usual)


@pytest.mark.parametrize(
    ("onto", "components"),
    [
        ("base", ("no-modules", "see-processes")),
        ("base", ("see-processes", "no-modules")),
        ("overlays/read-only", ("see-processes",)),
    ],
)
def test_no_component_gives_back_what_another_takes_away(
    onto: str, components: tuple[str, ...], tmp_path: Path
) -> None:
    """In whatever order: with no-modules and see-processes the agent sees processes, and loads no modules."""
    objects = composed(tmp_path, *components, onto=onto)

    security = agent(objects)[1]["securityContext"]

    assert security["capabilities"] == {"drop": ["ALL"], "add": SEES_PROCESSES}
    assert security["appArmorProfile"] == {"type": "Unconfined"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_is_one_field_for_the_server_is_written_in_full(name: str) -> None:
    """Completed with defaults it is another value, and applying in another way, as in an upgrade, has a conflict."""
    objects = overlay(name)
    constraints = [one["spec"]["matchConstraints"] for one in objects if one["kind"] == "ValidatingAdmissionPolicy"]
    references = [variable["valueFrom"]["fieldRef"] for variable in agent(objects)[1]["env"]]

    assert all({"matchPolicy", "namespaceSelector", "objectSelector"} <= set(one) for one in constraints)
    assert all("scope" in rule for one in constraints for rule in one["resourceRules"])
    assert all("apiVersion" in one for one in references)


def test_definitions_can_be_applied_alone() -> None:
    """They outlive the rest of an installation, when one likes."""
    kinds = {one["kind"] for one in built(ROOT / "manifests/crds")}

    assert kinds == {"CustomResourceDefinition"}


def test_the_documented_role_of_an_agent_outside_is_that_of_the_manifests() -> None:
    """Outside of a pod it needs the same, and to look for KubeVirt; in one role, since it has no namespace."""
    text = (ROOT / "docs/how-to/run-against-a-cluster.md").read_text()
    block = text.split("```yaml\n", 2)[1].split("```", 1)[0]
    documented = yaml.safe_load(block)["rules"]
    objects = overlay("plain") + overlay("kubevirt")
    names = {"pcidevices-agent", "pcidevices-agent-finds-kubevirt", "pcidevices-agent-permits"}
    rules = [
        rule
        for one in objects
        if one["kind"] in {"ClusterRole", "Role"} and one["metadata"]["name"] in names
        for rule in one["rules"]
    ]

    assert _rights(documented) == _rights(rules)


def _rights(rules: list[dict[str, list[str]]]) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
