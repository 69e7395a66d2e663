"""Who may talk to the API server, and how it is reached."""

from __future__ import annotations

import base64
import ipaddress
import json

from typing import TYPE_CHECKING

from .certificates import Authority, new_key


if TYPE_CHECKING:
    from .place import Place

# Where a guest of QEMU's user network sees this machine.
GUEST = "10.0.2.2"
SERVICES = "10.0.0.0/24"
SERVICE = "10.0.0.1"  # the API server's, the first of them
NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


def users(node_name: str) -> dict[str, tuple[str, str]]:
    """Each user's name and group as the API server sees them."""
    return {
        "admin": ("admin", "system:masters"),
        "node": (f"system:node:{node_name}", "system:nodes"),
        "kube-controller-manager": ("system:kube-controller-manager", ""),
        "kube-scheduler": ("system:kube-scheduler", ""),
        "nobody": ("nobody", ""),  # may do what a test lets it do
    }


def outside_address(place: Place) -> str:
    """The address of the service `kubernetes`; it cannot be a loopback address."""
    for address in place.also_at:
        try:
            if not ipaddress.ip_address(address).is_loopback:
                return address
        except ValueError:  # a name
            continue
    return GUEST


def write_keys(place: Place) -> None:
    """Make what proves who is who."""
    authority = Authority("pcidevices-test", new_key())
    serving, accounts = new_key(), new_key()
    hosts = dict.fromkeys(("127.0.0.1", GUEST, SERVICE, *NAMES, *place.also_at))
    tokens = [f'{place.tokens[key]},{user},{key},"{group}"\n' for key, (user, group) in users(place.node_name).items()]
    for name, content in {
        "ca.crt": authority.certificate(),
        "kube-apiserver.crt": authority.serving_certificate("kube-apiserver", serving, hosts),
        "kube-apiserver.key": serving.private_pem(),
        "accounts.key": accounts.private_pem(),
        "accounts.pub": accounts.public_pem(),
        "tokens.csv": "".join(tokens),
    }.items():
        (place.keys / name).write_text(content)


def write_kubeconfigs(place: Place) -> None:
    """One for each user, and the administrator's for a guest."""
    here = f"https://127.0.0.1:{place.ports['kube-apiserver']}"
    for key in place.tokens:
        name = "kubeconfig" if key == "admin" else f"{key}.kubeconfig"
        (place.folder / name).write_text(kubeconfig(place, here, key))
    there = f"https://{GUEST}:{place.ports['kube-apiserver']}"
    (place.folder / "guest.kubeconfig").write_text(kubeconfig(place, there, "admin"))


def kubeconfig(place: Place, server: str, user: str) -> str:
    """A file that works wherever it is copied."""
    authority = base64.b64encode((place.keys / "ca.crt").read_bytes()).decode()
    cluster = {"server": server, "certificate-authority-data": authority}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": user, "user": {"token": place.tokens[user]}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        "current-context": "test",
    }
    return json.dumps(config, indent=1) + "\n"
