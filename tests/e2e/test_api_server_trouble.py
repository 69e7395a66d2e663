"""The agent when the real API server goes away, forgets it, or has a second agent for the same node."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.cluster import Agent, Cluster, a_spec, running_agent, running_cluster, wait_until


# Seconds; ten minutes are worth a try now and then.
AWAY = float(os.environ.get("PCIDEVICES_TEST_AWAY", "10"))
DEVICES = 8


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def agent(cluster: Cluster, tmp_path: Path) -> Iterator[Agent]:
    with running_agent(tmp_path, "trouble", kubeconfig=cluster.kubeconfig, spec=a_spec(DEVICES)) as agent:
        wait_until(lambda: published(cluster) == DEVICES, "all devices are published")
        yield agent


def published(cluster: Cluster, node_name: str = "trouble") -> int:
    return sum("conditions" in device.get("status", {}) for device in cluster.devices(node_name).values())


def test_a_restart_of_the_api_server_loses_nothing(cluster: Cluster, agent: Agent) -> None:
    """What changed while the server was restarting is there afterwards, once, and the log says what happened."""
    cluster.control("stop")
    agent.spec.write_text(a_spec(DEVICES + 4))
    agent.wait_for_event("node.reloaded")
    cluster.control("start")

    wait_until(lambda: published(cluster) == DEVICES + 4, "the new devices are published", within=60)
    assert agent.events("watch.failed")
    assert not agent.events("reconcile.crashed")


def test_a_server_that_is_away_for_long_is_waited_for(cluster: Cluster, agent: Agent) -> None:
    """No crash, no storm of tries, and all is right soon after it is back."""
    cluster.control("stop")
    agent.spec.write_text(a_spec(DEVICES - 3))
    time.sleep(AWAY)  # waits: that long is what is tried
    tries = len(agent.events("watch.failed")) + len(agent.events("list.failed"))
    cluster.control("start")
    back = time.monotonic()

    wait_until(lambda: published(cluster) == DEVICES - 3, "the devices that are gone are unpublished", within=120)
    print(f"away {AWAY:.0f} s: {tries} tries of three watches, right {time.monotonic() - back:.1f} s after the start")
    assert tries < 3 * (10 + AWAY / 10)


def test_versions_that_the_server_has_forgotten_are_listed_anew(cluster: Cluster, agent: Agent) -> None:
    """An API server whose history was compacted away answers 410; the list that follows finds what changed."""
    cluster.control("stop")
    compact(cluster)
    agent.spec.write_text(a_spec(DEVICES + 1))
    cluster.control("start")

    wait_until(lambda: published(cluster) == DEVICES + 1, "the new device is published", within=60)
    assert agent.events("watch.expired")


def test_two_agents_for_one_node_agree(cluster: Cluster, agent: Agent, tmp_path: Path) -> None:
    """With the same hardware they write the same: one object for each device, and then nothing more."""
    (tmp_path / "second").mkdir()
    with running_agent(tmp_path / "second", "trouble", kubeconfig=cluster.kubeconfig, spec=a_spec(DEVICES)) as second:
        second.wait_for_event("agent.synced")
        for one in (agent, second):
            one.spec.write_text(a_spec(DEVICES + 2))
        wait_until(lambda: published(cluster) == DEVICES + 2, "the new devices are published")
        settle(cluster)

        assert len(cluster.devices("trouble")) == DEVICES + 2
        assert not [*agent.events("reconcile.crashed"), *second.events("reconcile.crashed")]


def test_two_agents_that_disagree_give_way(cluster: Cluster, agent: Agent, tmp_path: Path) -> None:
    """With different hardware they undo each other's work, ever more slowly, and say so."""
    (tmp_path / "second").mkdir()
    spec = a_spec(DEVICES, device_id="1572")
    with running_agent(tmp_path / "second", "trouble", kubeconfig=cluster.kubeconfig, spec=spec) as second:
        second.wait_for_event("agent.synced")
        begun = time.time()
        time.sleep(15)  # waits: to count what is written meanwhile
        writes = len(cluster.writes(since=begun))
        print(f"15 s of disagreement over {DEVICES} devices: {writes} writes")

        assert agent.events("device.contested") or second.events("device.contested")
        assert writes < DEVICES * 2 * 15


def test_a_token_that_expires_is_read_again(cluster: Cluster, tmp_path: Path) -> None:
    """In a pod: the projected token ends and is replaced; what comes then is written with the new one."""
    pod = Pod(cluster, tmp_path)
    pod.project("first")
    with running_agent(
        tmp_path,
        "rotating",
        kubeconfig=None,
        spec=a_spec(2),
        around=["unshare", "--mount", "sh", "-ec", pod.mounts, "sh"],
        environment=pod.environment,
    ) as agent:
        wait_until(lambda: published(cluster, "rotating") == 2, "all devices are published")
        pod.project("second")
        pod.expire("first")
        agent.spec.write_text(a_spec(3))

        wait_until(lambda: published(cluster, "rotating") == 3, "the new device is published", within=90)
        assert agent.events("credentials.reloaded")


class Pod:
    """What a pod's service account would be: a token bound to an object, projected into a folder."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._projected = folder / "serviceaccount"
        self._projected.mkdir()
        config = json.loads(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
        host, _, port = config["server"].removeprefix("https://").partition(":")
        ca = subprocess.run(
            ["base64", "-d"], input=config["certificate-authority-data"].encode(), capture_output=True, check=True
        )
        (self._projected / "ca.crt").write_bytes(ca.stdout)
        self.environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        # The folder's path is a constant of every client, so it is put there in a mount namespace of our own.
        self.mounts = (
            "mount -t tmpfs none /run; mkdir -p /run/secrets/kubernetes.io/serviceaccount; "
            f'mount --bind {self._projected} /run/secrets/kubernetes.io/serviceaccount; exec "$@"'
        )
        cluster.kubectl("create", "serviceaccount", "agent")
        binding = {"subject": "--serviceaccount=default:agent", "role": "--clusterrole=cluster-admin"}
        cluster.kubectl("create", "clusterrolebinding", "agent", *binding.values())

    def project(self, name: str) -> None:
        self._cluster.kubectl("create", "secret", "generic", name)
        bound = ["--bound-object-kind=Secret", f"--bound-object-name={name}"]
        token = self._cluster.kubectl("create", "token", "agent", *bound).strip()
        (self._projected / "token").write_text(token)

    def expire(self, name: str) -> None:
        """A token ends with the object that it is bound to."""
        self._cluster.kubectl("delete", "secret", name)
        time.sleep(12)  # waits: the server remembers for ten seconds that a token was good


def settle(cluster: Cluster) -> None:
    """Wait until the agents write nothing for two seconds."""
    before = -1
    while (now := len(cluster.writes())) != before:
        before = now
        time.sleep(2)  # waits: for an absence, which nobody announces


def compact(cluster: Cluster) -> None:
    """Have etcd forget all history, as it does every five minutes on its own."""

    def ask(path: str, body: dict[str, str]) -> dict[str, dict[str, str]]:
        with closing(http.client.HTTPConnection("etcd")) as connection, socket.socket(socket.AF_UNIX) as plug:
            plug.connect(str(cluster.folder / "run/etcd.sock"))
            connection.sock = plug
            connection.request("POST", path, json.dumps(body))
            found: dict[str, dict[str, str]] = json.load(connection.getresponse())
            return found

    revision = ask("/v3/kv/range", {"key": "Zm9v"})["header"]["revision"]
    assert "header" in ask("/v3/kv/compaction", {"revision": revision})
