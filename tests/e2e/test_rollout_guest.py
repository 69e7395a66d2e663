"""The agent as a pod, under exactly the restrictions of the manifests, on a real kernel with real devices."""

from __future__ import annotations

import json
import os
import sys
import time

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.e2e.cluster import ROOT
from tests.e2e.rollingout import AGENT, refusals
from tests.e2e.test_kubelet_rig import EXTRAS, Rig, hack, running


KNOB = "PCIDEVICES_TEST_ROLLOUT_GUEST"
pytestmark = [
    pytest.mark.guest,
    pytest.mark.skipif(os.environ.get(KNOB) != "1", reason=f"takes four minutes of a guest: set {KNOB}=1"),
]

SYS_MODULE = 1 << 16
TWIN, GPU, SOUND = "0000:00:04.0", "0000:07:00.0", "0000:07:00.1"
ON_VFIO = {it: ["vfio-pci", "(null)"] for it in (TWIN, GPU, SOUND)}
HOME = {TWIN: ["e1000e", "(null)"], GPU: ["bochs-drm", "(null)"], SOUND: ["snd_hda_intel", "(null)"]}
Report = dict[str, Any]
# The guest has no room and no time for an image: the program, and what it needs, are this machine's.
PATCH = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - {plain}
images:
  - name: pcidevices
    newName: localhost/bare
    newTag: "1"
patches:
  - target: {{kind: DaemonSet, name: pcidevices}}
    patch: |-
      - {{op: add, path: /spec/template/spec/containers/0/command, value: [{program}]}}
      - {{op: replace, path: /spec/template/spec/containers/0/startupProbe/failureThreshold, value: 200}}
"""
MOUNT = """\
      - {{op: add, path: /spec/template/spec/volumes/-, value: {{name: {name}, hostPath: {{path: {path}}}}}}}
      - op: add
        path: /spec/template/spec/containers/0/volumeMounts/-
        value: {{name: {name}, mountPath: {path}, readOnly: true}}
"""


def overlay(folder: Path) -> Path:
    """As `plain`, but for the program."""
    plain = os.path.relpath(ROOT / "manifests/overlays/plain", folder)
    text = PATCH.format(plain=plain, program=ROOT / ".venv/bin/pcidevices")
    places = dict.fromkeys(("/usr", str(Path(sys.base_prefix).resolve()), str(ROOT)))
    mounted = [place for place in places if place == "/usr" or not place.startswith("/usr/")]
    text += "".join(MOUNT.format(name=f"code-{number}", path=place) for number, place in enumerate(mounted))
    (folder / "kustomization.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[Rig]:
    """Without a node: that is the guest."""
    built = hack("cluster", "build", "etcd", "kube-apiserver", *EXTRAS, "containerd")
    if "no go on PATH" in built.stderr:
        pytest.skip(built.stderr.strip())
    with TemporaryDirectory(prefix="pg") as folder, running(Path(folder), "--controllers", "--node-name=guest") as rig:
        (rig.folder / "overlay").mkdir()
        rig.kubectl("apply", "-k", overlay(rig.folder / "overlay"))
        yield rig


@pytest.fixture(scope="module")
def report(cluster: Rig, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """One guest's whole life; the tests below read what it noted."""
    out = tmp_path_factory.mktemp("guest")
    options = ("--kernel=6.12", f"--out={out}", "--timeout=1200", "--mem=1536")
    begun = time.monotonic()
    done = hack("vm", *options, "--", "python3", "tests/e2e/guest/podded.py", cluster.folder)
    print(done.stdout, done.stderr)
    whole: Report = json.loads((out / "report.json").read_text())
    whole["seconds"] = round(time.monotonic() - begun, 1)
    whole["refusals"] = refusals(cluster.folder, AGENT)
    print(json.dumps(whole, indent=1))
    return whole


@pytest.mark.parametrize("name", ["joins", "rolls out", "claims", "upgrades", "releases", "ends"])
def test_each_scenario_comes_to_its_end(report: Report, name: str) -> None:
    assert "failed" not in report.get(name, {"failed": "not begun"})


def test_it_has_no_privileges_but_to_load_modules(report: Report) -> None:
    process = dict(line.split(":\t", 1) for line in report["rolls out"]["process"].splitlines())

    assert {int(process[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {SYS_MODULE}
    assert (process["NoNewPrivs"], process["Seccomp"]) == ("1", "2")
    assert not {"hostNetwork", "hostPID", "hostIPC"} & report["rolls out"]["pod"].keys()


def test_it_binds_and_gives_back_all_the_same(report: Report) -> None:
    """vfio-pci, a module that it loads itself, has the devices; then their own drivers have them again."""
    assert report["claims"]["home"] == HOME
    assert report["claims"]["taken"] == ON_VFIO
    assert report["releases"]["held"][TWIN] == ON_VFIO[TWIN]
    assert report["releases"]["home"] == HOME


def test_an_upgrade_touches_no_claimed_device(report: Report) -> None:
    """Nothing is bound or unbound, and the pod that has one open stays as it is."""
    seen = report["upgrades"]

    assert seen["done to devices"] == []
    assert seen["before"] == seen["after"]
    assert seen["after"][1:] == [0, True]
    assert seen["taken"] == ON_VFIO
    assert set(seen["reasons"].values()) == {"Ready"}


def test_nothing_is_left_on_the_node(report: Report) -> None:
    assert (report["ends"]["sockets"], report["ends"]["overrides"]) == ([], ["(null)"])


def test_it_never_asks_for_what_it_may_not(report: Report) -> None:
    assert report["refusals"] == []
