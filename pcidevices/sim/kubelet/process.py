"""One process of the kubelet, from its start to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from anyio import Event
from anyio.abc import TaskGroup

from .admission import Admission
from .clients import Clients, Dialling
from .devices import Devices
from .podresources import PodResources
from .pods import Allocations, Pod
from .registration import Registration


class Process:
    """What a kubelet forgets when it ends, and what it has read from its file."""

    def __init__(
        self,
        folder: Path,
        tasks: TaskGroup,
        dialling: Dialling,
        *,
        grace: float,
        pods: Callable[[], Iterable[Pod]],
        changed: Callable[[], None],
    ) -> None:
        self._pods = pods
        self._changed = changed
        self.sees_pods = Event()
        self.devices = Devices(grace=grace, changed=self._told)
        self.allocations = Allocations(folder / "kubelet_internal_checkpoint")
        self.devices.remember(self.allocations.load())
        self.clients = Clients(self.devices, tasks, dialling)
        self.admission = Admission(self.devices, self.allocations)
        self.registration = Registration(folder, self.clients)
        self.pod_resources = PodResources(self)

    def pods_seen(self) -> Iterable[Pod]:
        return tuple(self._pods()) if self.sees_pods.is_set() else ()

    def free_what_is_over(self) -> None:
        if self.sees_pods.is_set():
            self.allocations.keep(pod.uid for pod in self._pods())

    def _told(self) -> None:
        self.allocations.save(self.devices.allocatable)
        self._changed()
