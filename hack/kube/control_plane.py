"""What a control plane is made of."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .access import SERVICES, outside_address


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .place import Place


@dataclass(frozen=True, slots=True)
class Component:
    """A program: how it is called, when it is there, the ports it needs, the seconds it may take."""

    name: str
    arguments: Callable[[Place], list[str]]
    is_ready: Callable[[Place], bool]
    ports: tuple[str, ...] = ()
    to_start: float = 60
    to_end: float = 1  # open connections keep them longer; what was answered survives a kill


def etcd(place: Place) -> list[str]:
    """Etcd, on sockets: no port to race for. It insists on advertising one, which nobody reads."""
    return [
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
        # Nobody makes the service accounts it asks of every pod.
        "--disable-admission-plugins=ServiceAccount",
        "--allow-privileged=true",
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
    context = ssl.create_default_context(cafile=str(place.keys / "ca.crt"))
    port = place.ports["kube-apiserver"]
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    with contextlib.closing(connection):
        connection.request("GET", "/readyz", headers={"Authorization": f"Bearer {place.tokens['admin']}"})
        return connection.getresponse().status == http.HTTPStatus.OK


@contextlib.contextmanager
def within(folder: os.PathLike[str]) -> Iterator[str]:
    """A short path to a folder: the path of a socket holds 107 bytes."""
    handle = os.open(folder, os.O_PATH)
    try:
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)


# In the order they start; each needs those before it.
COMPONENTS = (
    Component("etcd", etcd, etcd_is_ready),
    Component("kube-apiserver", kube_apiserver, kube_apiserver_is_ready, ports=("kube-apiserver",), to_start=180),
)
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}
