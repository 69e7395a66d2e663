"""The table: who asks for what, and for a refusal the words by which it must be the right one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .things import (
    CLAIMS,
    DEVICES,
    ENTRY,
    GONE,
    NODE_GONE,
)


JANUS, JUNO, NOWHERE = "agent of janus", "agent of juno", "agent of nowhere"


@dataclass(frozen=True, slots=True)
class Row:
    """A request."""

    what: str
    who: str
    verb: str
    path: str
    body: Any = None
    why: str = ""
    """Of a refusal: what its message says."""
    exists: bool = False
    """What is to be created is there already, which the API server finds out after all else."""

    def __str__(self) -> str:
        return f"{self.who}: {self.what}"


def metadata(**changes: Any) -> dict[str, Any]:
    return {"metadata": changes}


def finalizers(*names: str) -> dict[str, Any]:
    return metadata(finalizers=list(names))


def gone(**changes: Any) -> dict[str, Any]:
    """As an agent marks the claim of a node that is gone."""
    return metadata(labels={NODE_GONE: "true"}, **changes)


def annotation(key: str, value: str | None) -> dict[str, Any]:
    return metadata(annotations={f"devices.harvesterhci.io/{key}": value})


def owned_by(kind: str, name: str) -> dict[str, Any]:
    return metadata(ownerReferences=[{"apiVersion": "v1", "kind": kind, "name": name, "uid": "1"}])


def permitted(*entries: Any, **others: Any) -> dict[str, Any]:
    return {"spec": {"configuration": {"permittedHostDevices": {"pciHostDevices": list(entries), **others}}}}


OLD_ENTRY = {**ENTRY, "resourceName": "nvidia.com/OLD"}
READY = {"status": {"passthroughEnabled": True}}
MINE, YOURS = f"{DEVICES}/janus-000004000", f"{DEVICES}/juno-000004000"
MY_CLAIM, YOUR_CLAIM = f"{CLAIMS}/janus-000004000", f"{CLAIMS}/juno-000004000"
GONE_CLAIM, GONE_GOING = f"{CLAIMS}/{GONE}-000004000", f"{CLAIMS}/{GONE}-going"
CORE = "/api/v1/namespaces"
