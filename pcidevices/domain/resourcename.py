"""What the kubelet and KubeVirt make of a resource name."""

from __future__ import annotations

import hashlib
import re

from collections.abc import Iterable

from pcidevices.api.reasons import Reason

from .conditions import Finding


SOCKET_PATH_LIMIT = 107
"""Bytes that the path of a Unix socket may have (sockaddr_un, without the NUL)."""

# kubelet checks the name as the quota "requests.<name>", whose prefix may have 253 characters.
_PREFIX_LIMIT = 253 - len("requests.")
_NAME_LIMIT = 63
_LABEL = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_PREFIX = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NAME = re.compile("[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DIGEST = 10
_ANOTHER_NAME = "to have it offered under another name, claim it anew with the other value of disableResourcePooling"


def why_invalid(resource_name: str) -> str | None:
    """Why the kubelet would refuse to register this name, for a person; None when it would not."""
    prefix, slash, name = resource_name.partition("/")
    wrong = {
        "it must have exactly one slash, as in example.com/gpu": not slash or "/" in name,
        "kubernetes.io is reserved for Kubernetes itself": "kubernetes.io/" in resource_name,
        "a name that begins with 'requests.' is a quota's": resource_name.startswith("requests."),
        f"before the slash stand more than {_PREFIX_LIMIT} characters": len(prefix) > _PREFIX_LIMIT,
        "before the slash must stand a DNS name in lower case": not _PREFIX.fullmatch(prefix),
        f"after the slash stand more than {_NAME_LIMIT} characters": len(name) > _NAME_LIMIT,
        "after the slash must stand letters, digits, '-', '_' and '.', with a letter or digit at both ends": (
            not _NAME.fullmatch(name)
        ),
    }
    return next((f"{resource_name!r}: {what}" for what, is_so in wrong.items() if is_so), None)


def env_name(resource_name: str) -> str:
    """The variable in which KubeVirt's launcher looks for the addresses; only ``/`` and ``.`` become ``_``."""
    return f"PCI_RESOURCE_{resource_name.upper().replace('/', '_').replace('.', '_')}"


def refusals(resource_names: Iterable[str]) -> dict[str, Finding]:
    """
    Of those names under which nothing can be offered, why.

    A virtual machine cannot ask together for names that share a variable: they differ by case or ``. _ /`` only. The
    first of them keeps it.
    """
    refused: dict[str, Finding] = {}
    takers: dict[str, str] = {}
    for name in dict.fromkeys(resource_names):
        variable = env_name(name)
        if why := why_invalid(name):
            refused[name] = Finding("False", Reason.RESOURCE_NAME_INVALID, f"{why}; {_ANOTHER_NAME}")
        elif (taker := takers.setdefault(variable, name)) != name:
            what = f"{name} and {taker}, which was claimed before, make the same variable {variable}"
            refused[name] = Finding("False", Reason.RESOURCE_NAME_TAKEN, f"{what}; {_ANOTHER_NAME}")
    return refused


def socket_name(resource_name: str, *, folder: str) -> str:
    """
    The name of the plugin's socket in *folder*: ``kubevirt-nvidia.com-GP106.sock``.

    Where the whole path would be too long the name's end makes way for a hash of all of it. So it does where a hyphen
    stands before the slash: ``a-b/c`` would have the socket of ``a/b-c``. A folder that leaves no room even for that
    gets the shortest such name, and whoever listens there will be told.
    """
    whole = resource_name.replace("/", "-")
    room = SOCKET_PATH_LIMIT - len(f"{folder.rstrip('/')}/kubevirt-.sock".encode())
    if len(whole.encode()) <= room and "-" not in resource_name.partition("/")[0]:
        return f"kubevirt-{whole}.sock"
    digest = hashlib.sha256(resource_name.encode()).hexdigest()[:_DIGEST]
    head = whole.encode()[: max(0, room - _DIGEST - 1)].decode(errors="ignore").rstrip("-_.")
    return f"kubevirt-{head}-{digest}.sock" if head else f"kubevirt-{digest}.sock"
