"""A program of a cluster, as the commands need to know it."""

from __future__ import annotations

import contextlib
import http.client
import ssl

from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable

    from .place import Place


def nothing(_place: Place) -> None:
    """What most programs want done before they start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A program: how it is called, when it is there, what it needs, the seconds it may take."""

    name: str
    command: Callable[[Place], list[str]]
    is_ready: Callable[[Place], bool]
    programs: tuple[str, ...] = ()  # built or fetched before
    ports: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # other components, if the cluster has them
    prepare: Callable[[Place], None] = nothing
    inside: bool = False  # in the namespaces of the node
    forks: bool = False  # what is started waits for its child, which is the program
    to_start: float = 60
    to_end: float = 1  # open connections keep them longer; what was answered survives a kill


def asked(place: Place, path: str, *, port: str = "kube-apiserver") -> tuple[int, bytes]:
    """What a server of the control plane answers to its administrator."""
    context = ssl.create_default_context(cafile=str(place.keys / "ca.crt"))
    connection = http.client.HTTPSConnection(place.server, place.ports[port], timeout=5, context=context)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Authorization": f"Bearer {place.tokens['admin']}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
