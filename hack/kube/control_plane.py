"""What a control plane is made of."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket

from typing import TYPE_CHECKING

from .access import SERVICES, outside_address, write_kubeconfigs
from .component import Component, asked


if TYPE_CHECKING:
    from collections.abc import Iterator

    from .place import Place


def etcd(place: Place) -> list[str]:
    """Etcd, on sockets: no port to race for. It insists on advertising one, which nobody reads."""
    return [
        place.binaries["etcd"],
        f"--data-dir={place.folder / 'etcd'}",
        "--listen-client-urls=unix://etcd.sock",
        "--listen-peer-urls=unix://peer.sock",
        "--advertise-client-urls=http://localhost:0",
        "--unsafe-no-fsync",
    ]


def kube_apiserver(place: Place) -> list[str]:
    """The API server. Its connection check misreads unix:///…, so it works where etcd's socket is."""
    keys = place.keys
    return [
        place.binaries["kube-apiserver"],
        "--etcd-servers=unix://etcd.sock",
        "--bind-address=127.0.0.1",
        f"--secure-port={place.ports['kube-apiserver']}",
        f"--advertise-address={outside_address(place)}",
        f"--tls-cert-file={keys / 'kube-apiserver.crt'}",
        f"--tls-private-key-file={keys / 'kube-apiserver.key'}",
        f"--service-account-key-file={keys / 'accounts.pub'}",
        f"--service-account-signing-key-file={keys / 'accounts.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={SERVICES}",
        f"--token-auth-file={keys / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        # It asks for a service account of every pod, and only the controller manager makes these.
        *([] if CONTROLLER_MANAGER in place.parts else ["--disable-admission-plugins=ServiceAccount"]),
        "--allow-privileged=true",
        # Relative, since the path of a socket may be short of room; see EGRESS.
        *(["--egress-selector-config-file=egress.json"] if "tunnel" in place.parts else []),
        f"--audit-policy-file={place.run / 'audit-policy.json'}",
        f"--audit-log-path={place.folder / 'audit.jsonl'}",
        "--audit-log-maxsize=1000000",  # megabytes; it would be renamed at 100
    ]


def etcd_is_ready(place: Place) -> bool:
    """Whether etcd has a leader."""
    with within(place.run) as run, socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(f"{run}/etcd.sock")
        connection.sendall(b"GET /health HTTP/1.0\r\nHost: etcd\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status == http.HTTPStatus.OK


def kube_apiserver_is_ready(place: Place) -> bool:
    """Whether it says so itself."""
    return asked(place, "/readyz")[0] == http.HTTPStatus.OK


def controller_manager(place: Place) -> list[str]:
    """All controllers there are: service accounts, garbage, DaemonSets and the like."""
    return [
        place.binaries[CONTROLLER_MANAGER],
        *client_and_server(place, CONTROLLER_MANAGER),
        f"--service-account-private-key-file={place.keys / 'accounts.key'}",
        f"--root-ca-file={place.keys / 'ca.crt'}",
        "--use-service-account-credentials",
        # It makes an account for each controller before it is ready, at 20 requests a second if not told otherwise.
        "--kube-api-qps=1000",
        "--kube-api-burst=1000",
    ]


def scheduler(place: Place) -> list[str]:
    """The scheduler."""
    return [place.binaries[SCHEDULER], *client_and_server(place, SCHEDULER)]


def client_and_server(place: Place, name: str) -> list[str]:
    """How a program reaches the API server, and is reached itself."""
    return [
        f"--kubeconfig={place.folder / f'{name}.kubeconfig'}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={place.ports[name]}",
        f"--tls-cert-file={place.keys / 'kube-apiserver.crt'}",
        f"--tls-private-key-file={place.keys / 'kube-apiserver.key'}",
    ]


def controller_manager_is_ready(place: Place) -> bool:
    """Whether pods can be made, which takes a service account."""
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    return all(
        status == http.HTTPStatus.OK
        for status, _ in (asked(place, "/healthz", port=CONTROLLER_MANAGER), asked(place, account))
    )


def scheduler_is_ready(place: Place) -> bool:
    """Whether it says so itself."""
    return asked(place, "/readyz", port=SCHEDULER)[0] == http.HTTPStatus.OK


@contextlib.contextmanager
def within(folder: os.PathLike[str]) -> Iterator[str]:
    """A short path to a folder: the path of a socket holds 107 bytes."""
    handle = os.open(folder, os.O_PATH)
    try:
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)


CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
CONTROL_PLANE = (
    Component(name="etcd", command=etcd, is_ready=etcd_is_ready, programs=("etcd",)),
    Component(
        name="kube-apiserver",
        command=kube_apiserver,
        is_ready=kube_apiserver_is_ready,
        programs=("kube-apiserver",),
        ports=("kube-apiserver",),
        needs=("etcd",),
        prepare=write_kubeconfigs,
        to_start=180,
    ),
)
CONTROLLERS = (
    Component(
        name=CONTROLLER_MANAGER,
        command=controller_manager,
        is_ready=controller_manager_is_ready,
        programs=(CONTROLLER_MANAGER,),
        ports=(CONTROLLER_MANAGER,),
        needs=("kube-apiserver",),
    ),
    Component(
        name=SCHEDULER,
        command=scheduler,
        is_ready=scheduler_is_ready,
        programs=(SCHEDULER,),
        ports=(SCHEDULER,),
        needs=("kube-apiserver",),
    ),
)
# What is in the cluster's network, kubelet for `kubectl logs` among it, is reached through the node.
EGRESS = {
    "apiVersion": "apiserver.k8s.io/v1beta1",
    "kind": "EgressSelectorConfiguration",
    "egressSelections": [
        {
            "name": "cluster",
            "connection": {"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": "tunnel.sock"}}},
        }
    ],
}
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}
