"""hack/cluster starts a real API server, and stops what it started."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CLUSTER = Path(__file__).parents[2] / "hack" / "cluster"
WIDGETS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.org"},
    "spec": {
        "group": "example.org",
        "scope": "Cluster",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "selectableFields": [{"jsonPath": ".spec.nodeName"}],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {"nodeName": {"type": "string"}},
                                "x-kubernetes-validations": [
                                    {"rule": "self == oldSelf", "message": "a widget stays where it is"}
                                ],
                            }
                        },
                    }
                },
            }
        ],
    },
}


def cluster(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What hack/cluster says and how it ends."""
    return subprocess.run(
        [sys.executable, CLUSTER, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def kubectl(
    folder: Path, *arguments: str, user: str = "kubeconfig", given: object = None
) -> subprocess.CompletedProcess[str]:
    """What the API server of this folder says to a user."""
    beside = Path(sys.executable).with_name("kubectl")
    program = str(beside) if beside.exists() else shutil.which("kubectl")
    assert program, "kubectl comes with the development requirements"
    return subprocess.run(
        [program, "--kubeconfig", folder / user, *arguments],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Path]:
    """A cluster for as long as this lasts."""
    started = cluster("up", "--dir", folder, "--node-name", "here")
    try:
        assert started.returncode == 0, started.stderr
        assert started.stdout == f"{folder}/kubeconfig\n"
        yield folder
    finally:
        cluster("down", "--dir", folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a cluster that runs. Its programs are built first, which can take minutes."""
    built = cluster("build")
    if "no go on PATH" in built.stderr:
        pytest.skip(built.stderr.strip())
    assert built.returncode == 0, built.stderr
    with running(tmp_path_factory.mktemp("cluster") / "one") as folder:
        yield folder


def pids(folder: Path) -> dict[str, int]:
    """The programs of this cluster."""
    known = json.loads((folder / "cluster.json").read_text())["processes"]
    return {name: process["pid"] for name, process in known.items()}


def runs(pid: int) -> bool:
    """Whether there is such a process; one that nobody buried does not run."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_everything_runs_after_up(folder: Path) -> None:
    """`up` returns when the API server answers; `status` then ends with 0."""
    status = cluster("status", "--dir", folder)

    assert status.returncode == 0
    assert [line.split()[:2] for line in status.stdout.splitlines()] == [
        ["etcd", "running,"],
        ["kube-apiserver", "running,"],
    ]
    assert kubectl(folder, "get", "nodes").returncode == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.2.2", "kubernetes.default.svc"])
def test_the_certificate_is_good_wherever_the_server_is_seen(folder: Path, host: str) -> None:
    """A guest of QEMU, which sees this machine as 10.0.2.2, verifies it as strictly as anyone here."""
    port = json.loads((folder / "cluster.json").read_text())["ports"]["kube-apiserver"]
    context = ssl.create_default_context(cafile=str(folder / "keys" / "ca.crt"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT

    with (
        socket.create_connection(("127.0.0.1", port)) as connection,
        context.wrap_socket(connection, server_hostname=host) as secured,
    ):
        assert secured.version() == "TLSv1.3"


def test_a_kubeconfig_works_wherever_it_is_copied(folder: Path, tmp_path: Path) -> None:
    """Nothing in it points to a file; the guest's differs in the address alone."""
    copy = Path(shutil.copy(folder / "kubeconfig", tmp_path))
    guest = (folder / "guest.kubeconfig").read_text()

    assert kubectl(copy.parent, "get", "--raw", "/readyz").stdout == "ok"
    assert guest.replace("10.0.2.2", "127.0.0.1") == copy.read_text()


def test_custom_resources_are_judged_by_the_real_rules(folder: Path) -> None:
    """CEL rules hold and selectable fields select."""
    assert kubectl(folder, "create", "-f", "-", given=WIDGETS).returncode == 0
    kubectl(folder, "wait", "--for=condition=Established", "crd/widgets.example.org")
    for node in ("here", "there"):
        widget = {
            "apiVersion": "example.org/v1",
            "kind": "Widget",
            "metadata": {"name": node},
            "spec": {"nodeName": node},
        }
        assert kubectl(folder, "create", "-f", "-", given=widget).returncode == 0

    moved = kubectl(folder, "patch", "widget", "here", "--type=merge", '-p={"spec":{"nodeName":"there"}}')
    selected = kubectl(folder, "get", "widgets", "--field-selector=spec.nodeName=there", "--output=name")

    assert "a widget stays where it is" in moved.stderr
    assert selected.stdout == "widget.example.org/there\n"


def test_the_audit_log_knows_every_write(folder: Path) -> None:
    """One line for each, which tells who did what."""
    kubectl(folder, "create", "namespace", "audited")

    written = [
        (event["user"]["username"], event["level"], event["stage"])
        for event in audited(folder, "audited")
        if event["verb"] == "create"
    ]
    assert written == [("admin", "Metadata", "ResponseComplete")]


def audited(folder: Path, name: str) -> list[dict[str, Any]]:
    """What was done to the object of this name; the log may come a moment after the answer."""
    for _ in range(100):
        lines = (folder / "audit.jsonl").read_text().splitlines(keepends=True)
        events = [json.loads(line) for line in lines if line.endswith("\n")]
        if found := [event for event in events if event.get("objectRef", {}).get("name") == name]:
            return found
        time.sleep(0.05)  # waits: see above
    return []


def test_nobody_may_do_what_a_test_lets_them_do(folder: Path) -> None:
    """There is a user without rights, to try roles with."""
    before = kubectl(folder, "get", "namespaces", user="nobody.kubeconfig")
    kubectl(folder, "create", "clusterrole", "lister", "--verb=list", "--resource=namespaces")
    kubectl(folder, "create", "clusterrolebinding", "lister", "--clusterrole=lister", "--user=nobody")
    after = kubectl(folder, "get", "namespaces", user="nobody.kubeconfig")
    node = kubectl(folder, "auth", "whoami", "--output=name", user="node.kubeconfig")

    assert "Forbidden" in before.stderr
    assert after.returncode == 0, after.stderr
    assert node.returncode == 0, node.stderr


def test_an_api_server_that_was_away_comes_back_with_its_port_and_its_data(folder: Path) -> None:
    """`stop` and `start` are an outage, not a new cluster."""
    kubectl(folder, "create", "namespace", "kept")

    assert cluster("stop", "--dir", folder, "kube-apiserver").returncode == 0
    assert kubectl(folder, "get", "namespace", "kept").returncode == 1
    assert cluster("status", "--dir", folder).returncode == 1
    assert cluster("start", "--dir", folder, "kube-apiserver").returncode == 0
    assert kubectl(folder, "get", "namespace", "kept").returncode == 0


def test_a_program_that_was_killed_shows_in_the_status_and_can_be_started_again(folder: Path) -> None:
    """Also an etcd that never syncs keeps what it has answered for."""
    kubectl(folder, "create", "namespace", "survivor")
    os.kill(pids(folder)["etcd"], signal.SIGKILL)

    ended = cluster("status", "--dir", folder)
    again = cluster("start", "--dir", folder, "etcd")

    assert ended.returncode == 1
    assert "etcd             ended by itself" in ended.stdout
    assert again.returncode == 0, again.stderr
    assert kubectl(folder, "get", "namespace", "survivor").returncode == 0


def test_a_folder_whose_cluster_runs_is_refused(folder: Path) -> None:
    """A second `up` changes nothing."""
    before = pids(folder)

    second = cluster("up", "--dir", folder)

    assert second.returncode == 1
    assert second.stderr == f"cluster: a cluster runs in {folder}: take it down first\n"
    assert pids(folder) == before
    assert cluster("status", "--dir", folder).returncode == 0


def test_two_clusters_do_not_meet(folder: Path, tmp_path: Path) -> None:
    """Each has its own port and data; the end of one leaves the other alone."""
    with running(tmp_path / "two") as other:
        kubectl(other, "create", "namespace", "over-there")

        assert kubectl(other, "get", "namespace", "over-there").returncode == 0
        assert kubectl(folder, "get", "namespace", "over-there").returncode == 1
        others = pids(other).values()

    assert not any(runs(pid) for pid in others)
    assert (other / "log" / "kube-apiserver.log").stat().st_size > 0
    assert cluster("status", "--dir", folder).returncode == 0


def test_a_stranger_with_the_same_pid_is_left_alone(folder: Path, tmp_path: Path) -> None:
    """A pid that was given away again is known by the moment its process began."""
    facts = json.loads((folder / "cluster.json").read_text())
    with subprocess.Popen(["sleep", "60"]) as stranger:
        facts["processes"] = {"etcd": {"pid": stranger.pid, "began": facts["processes"]["etcd"]["began"]}}
        (tmp_path / "cluster.json").write_text(json.dumps(facts))

        assert cluster("down", "--dir", tmp_path).returncode == 0
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("down",), 1, "there is no cluster in"),
        (("restart", "etcd"), 1, "there is no cluster in"),
        (("start", "kube-proxy"), 2, "invalid choice: 'kube-proxy'"),
        (("build", "kube-proxy"), 2, "there is nothing here to build kube-proxy from"),
        (("up",), 1, "there is no etcd in"),
    ],
)
def test_what_went_wrong_is_one_sentence(tmp_path: Path, arguments: Sequence[str], code: int, sentence: str) -> None:
    """Usage ends with 2, everything else with 1. What KUBEBUILDER_ASSETS promises is not built."""
    where = () if "build" in arguments else ("--dir", tmp_path)
    told = cluster(arguments[0], *where, *arguments[1:], KUBEBUILDER_ASSETS=str(tmp_path))

    assert told.returncode == code
    assert told.stderr.startswith("cluster: ")
    assert sentence in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert told.stdout == ""
