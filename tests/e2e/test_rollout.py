"""As users roll it out: the image is built, the manifests are applied, and the agent is a pod like any other."""

from __future__ import annotations

import json
import os

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.e2e.archive import Files, configuration, contents
from tests.e2e.rollingout import (
    ADDRESS,
    AGENT,
    CLAIM,
    RESOURCE,
    Rollout,
    built,
    overrides,
    refusals,
    running_rollout,
    version,
)
from tests.e2e.test_kubelet_rig import EXTRAS, hack


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="an image and a node take root")

MEGABYTE = 10**6
MOST = 90 * MEGABYTE
SYS_MODULE = 1 << 16
Report = dict[str, Any]


@pytest.fixture(scope="module")
def image() -> Iterator[tuple[Path, Path]]:
    with TemporaryDirectory(prefix="pi") as folder:
        yield built(Path(folder))


@pytest.fixture(scope="module")
def files(image: tuple[Path, Path]) -> Files:
    """All of the image."""
    return contents(image[0])


@pytest.fixture(scope="module")
def report(image: tuple[Path, Path]) -> Report:
    """One cluster's whole life; the tests below read what was noted."""
    programs = hack("cluster", "build", "etcd", "kube-apiserver", *EXTRAS, "containerd")
    if "no go on PATH" in programs.stderr:
        pytest.skip(programs.stderr.strip())
    before = overrides()
    with TemporaryDirectory(prefix="pr") as folder, running_rollout(Path(folder), image[0]) as rollout:
        for name, scene in SCENES.items():
            with rollout.stage(name) as facts:
                scene(rollout, facts)
        rollout.report["refusals"] = refusals(rollout.rig.folder, AGENT)
    rollout.report["overrides before"] = before
    print(json.dumps(rollout.report, indent=1))
    return rollout.report


def on_this_machine(rollout: Rollout, facts: Report) -> None:
    rollout.apply("machine")
    facts["pod"] = rollout.agent()
    there = {path.name for path in Path("/sys/bus/pci/devices").iterdir() if not is_a_bridge(path)}
    facts["there"] = sorted(there)
    facts["published"] = published(rollout, len(there))
    facts["ready"] = rollout.answers("/readyz?verbose")
    facts["healthy"] = rollout.answers("/healthz?verbose")
    facts["metrics"] = rollout.answers("/metrics")
    facts["events"] = [line["event"] for line in rollout.logs()]
    facts["process"] = rollout.inside("cat", "/proc/1/status")
    facts["version"] = rollout.inside("pcidevices", "version").split()


def published(rollout: Rollout, count: int) -> list[str]:
    found: list[str] = []

    def all_there() -> bool:
        found[:] = sorted(it["status"].get("address", "") for it in rollout.rig.get("pcidevices")["items"])
        return len(found) == count

    rollout.wait_until(all_there, f"{count} devices are published")
    return found


def is_a_bridge(device: Path) -> bool:
    return (device / "class").read_text().startswith("0x0604")


def a_claim_and_a_pod(rollout: Rollout, facts: Report) -> None:
    rollout.apply("simulated")
    rollout.wait_until_there(CLAIM)
    rollout.claim()
    rollout.wait_until_allocatable("1")
    facts["found"] = rollout.hold()
    rollout.wait_until_device(lambda status: status.get("inUseBy") == ["default/holder"], "the device names its pod")


def an_upgrade(rollout: Rollout, facts: Report) -> None:
    before = rollout.holder()
    rollout.apply("next")
    rollout.wait_until_device(lambda status: status.get("inUseBy") == ["default/holder"], "the device names its pod")
    rollout.wait_until_allocatable("1")
    facts["image"] = rollout.agent()["spec"]["containers"][0]["image"]
    facts["holder"] = [before, rollout.holder()]
    facts["driver"] = rollout.device()["status"]["kernelDriverInUse"]


def a_release(rollout: Rollout, facts: Report) -> None:
    rollout.rig.kubectl("delete", "pcideviceclaim", CLAIM, "--wait=false")
    rollout.wait_until_allocatable("0")
    facts["while the pod has it"] = rollout.rig.get("pcideviceclaim", CLAIM)["status"]["conditions"]
    rollout.rig.kubectl("delete", "pod", "holder")
    rollout.rig.kubectl("wait", "--for=delete", f"pcideviceclaim/{CLAIM}", "--timeout=60s")
    rollout.wait_until_device(lambda status: status.get("kernelDriverInUse") == "ixgbe", "the host has it again")


def the_end(rollout: Rollout, facts: Report) -> None:
    rollout.claim()
    rollout.wait_until_allocatable("1")
    rollout.uninstall()
    rollout.wait_until(lambda: not rollout.sockets(), "the sockets are gone")
    rollout.wait_until_allocatable("0")
    facts["left"] = rollout.left()


SCENES = {
    "machine": on_this_machine,
    "claim": a_claim_and_a_pod,
    "upgrade": an_upgrade,
    "release": a_release,
    "end": the_end,
}


def test_the_image_is_small(image: tuple[Path, Path]) -> None:
    """As a registry would have it, compressed."""
    assert image[0].stat().st_size < MOST


def test_the_bill_of_materials_names_what_is_in_the_image(image: tuple[Path, Path]) -> None:
    """Debian's packages, Python's, and the names of devices; nothing that compiles."""
    found = {it["purl"].partition("@")[0]: it for it in json.loads(image[1].read_text())["components"]}

    wanted = {"pkg:pypi/pcidevices", "pkg:pypi/aiohttp", "pkg:deb/debian/kmod", "pkg:generic/pci.ids"}
    assert wanted <= found.keys()
    assert found["pkg:pypi/pcidevices"]["version"] == version()
    assert not [name for name in found if name.rpartition("/")[2] in {"gcc", "make", "pip", "python3-pip", "perl"}]


def test_the_image_says_what_it_is(image: tuple[Path, Path]) -> None:
    """Labels, and a command that needs no arguments."""
    told = configuration(image[0])["config"]

    assert told["Labels"]["org.opencontainers.image.version"] == version()
    assert told["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert told["Labels"].keys() >= {"org.opencontainers.image.title", "org.opencontainers.image.revision"}
    assert (told["Entrypoint"], told["Cmd"]) == (["pcidevices"], ["agent"])


def test_the_image_needs_nobody_to_write_in_it(files: Files) -> None:
    """Every module of ours is compiled, from the very file that is there: with a read-only root nobody could."""
    ours = [name for name in files if "/site-packages/pcidevices/" in name and name.endswith(".py")]

    stale = [name for name in ours if stamp(files, compiled(name)) != files[name].mtime]
    assert len(ours) > 100
    assert stale == []


def test_nothing_of_the_build_is_left_in_the_image(files: Files) -> None:
    """No secret, no cache, no compiler; and nothing that makes root of whoever starts it."""
    assert not files.keys() & {
        "etc/pip.conf",
        "run/ca.crt",
        "src",
        "tools",
        "usr/bin/gcc",
        "usr/bin/pip",
        "usr/bin/perl5",
    }
    assert not [name for name in files if name.startswith(("root/.cache/", "var/lib/apt/lists/", "var/cache/apt/"))]
    assert not [name for name, it in files.items() if it.is_file and it.mode & 0o6000]


def compiled(name: str) -> str:
    folder, _, module = name.rpartition("/")
    return f"{folder}/__pycache__/{module.removesuffix('.py')}.cpython-311.pyc"


def stamp(files: Files, name: str) -> int:
    return int.from_bytes(files[name].head[8:12], "little") if name in files else 0


def test_the_pod_has_no_privileges_but_to_load_modules(report: Report) -> None:
    """What the kernel says of process 1 is what the manifest says."""
    seen = report["machine"]

    spec, process = seen["pod"]["spec"], dict(line.split(":\t") for line in seen["process"].splitlines())
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert [it["securityContext"]["privileged"] for it in spec["containers"]] == [False]
    assert {int(process[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {SYS_MODULE}
    assert (process["NoNewPrivs"], process["Seccomp"]) == ("1", "2")
    assert process["Name"] == "pcidevices"


def test_all_functions_of_the_machine_are_published(report: Report) -> None:
    assert report["machine"]["published"] == report["machine"]["there"]


def test_the_agent_is_asked_by_the_kubelet_and_answers(report: Report) -> None:
    """It is ready when it has rolled out, and says of what."""
    seen = report["machine"]

    assert "[+]hardware ok" in seen["ready"]
    assert "failed" not in seen["ready"] + seen["healthy"]
    assert "pcidevices_" in seen["metrics"]


def test_kubectl_shows_what_the_agent_says(report: Report) -> None:
    assert {"agent.started", "agent.synced", "http.opened"} <= set(report["machine"]["events"])
    assert report["machine"]["version"][:3] == ["pcidevices", version(), "pci.ids"]


def test_a_pod_gets_the_device_and_nothing_else(report: Report) -> None:
    """Its address by a variable, and the nodes of VFIO, which it can open."""
    found = report["claim"]["found"]

    variable = "PCI_RESOURCE_" + RESOURCE.replace("/", "_").replace(".", "_").upper()
    assert found == {"given": {variable: ADDRESS}, "nodes": ["/dev/vfio/0", "/dev/vfio/vfio"]}


def test_an_upgrade_leaves_whoever_has_a_device_alone(report: Report) -> None:
    """The new agent finds the pod that has it; the pod's container is the one of before."""
    seen = report["upgrade"]
    before, after = seen["holder"]

    assert seen["image"].endswith(":rollout-next")
    assert before == after
    assert after[0] == "Running"
    assert seen["driver"] == "vfio-pci"


def test_a_release_waits_for_the_pod(report: Report) -> None:
    conditions = {it["type"]: it for it in report["release"]["while the pod has it"]}

    assert conditions["Ready"]["reason"] == "DeviceInUse"
    assert "pod default/holder" in conditions["Ready"]["message"]


def test_nothing_is_left_of_it_in_the_end(report: Report) -> None:
    """No object, no definition, no socket, and no device of the machine was touched."""
    left = report["end"]["left"]

    assert left.pop("overrides") == report["overrides before"]
    assert left == {"objects": [], "kinds": [], "namespaces": [], "sockets": []}


def test_the_agent_never_asks_for_what_it_may_not(report: Report) -> None:
    assert report["refusals"] == []
