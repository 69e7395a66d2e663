"""The simulated kubelet."""

from __future__ import annotations

import uuid

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from anyio import CancelScope, Event, Lock, create_task_group, sleep
from anyio.abc import TaskGroup

from .admission import Given
from .clients import Dialling
from .devices import Counts
from .pods import Pod
from .process import Process
from .sockets import Sockets


class SimulatedKubelet:
    """
    A kubelet that serves device plugins in a folder of its own, on the event loop of its caller.

    It has started when the ``async with`` block begins. Pods, and what they hold, outlive a restart.
    """

    def __init__(self, folder: Path, *, dialling: Dialling | None = None, grace: float = 300.0) -> None:
        self._sockets = Sockets(folder)
        self.device_plugins = self._sockets.device_plugins
        """The folder of the plugins' sockets, and of ``kubelet.sock``."""
        self.pod_resources = self._sockets.pod_resources
        """The socket that answers who holds what."""
        self._dialling = dialling or Dialling()
        self._grace = grace
        self._pods: dict[tuple[str, str], Pod] = {}
        self._node: dict[str, Counts] = {}
        self._stirred = Event()
        self._admitting = Lock()
        self._stack = AsyncExitStack()
        self._tasks: TaskGroup | None = None
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        self._tasks = await self._stack.enter_async_context(create_task_group())
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        with CancelScope(shield=True):
            await self.stop()
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()
        return await self._stack.__aexit__(kind, error, traceback)

    async def start(self, *, blind_for: float | None = 0.0) -> None:
        """
        Remove every socket in the folder, then listen.

        For *blind_for* seconds, or with None until `sees_pods`, it has not heard of its pods from the API server: List
        answers that there are none.
        """
        if self._tasks is None or self._process is not None:
            raise RuntimeError("it runs once, within `async with`")
        self._sockets.make_folders()
        process = Process(
            self.device_plugins,
            self._tasks,
            self._dialling,
            grace=self._grace,
            pods=self._pods.values,
            changed=self._stir,
        )
        await self._sockets.listen(process.registration, process.pod_resources)
        self._process = process
        if blind_for == 0:
            process.sees_pods.set()
        elif blind_for is not None:
            self._tasks.start_soon(_open_eyes, process, blind_for)
        self._stir()

    async def stop(self, *, keep_inodes: bool = False) -> None:
        """
        End as a killed process does: connections break, sockets stay where they are and lead nowhere.

        With *keep_inodes* the sockets are gone, and the next start makes them with the inodes that they had.
        """
        process, self._process = self._process, None
        if process is not None:
            process.clients.die()
            await self._sockets.die(keep_inodes=keep_inodes)

    async def restart(self, *, blind_for: float | None = 1.0, keep_inodes: bool = False) -> None:
        """Stop, and start a new process; its plugins must register again."""
        await self.stop(keep_inodes=keep_inodes)
        await self.start(blind_for=blind_for)

    def sees_pods(self) -> None:
        """The API server has told the kubelet which pods it has."""
        self._running().sees_pods.set()

    async def admit(self, name: str, requests: Mapping[str, int], *, namespace: str = "default") -> Given:
        """
        Run a pod that asks for these devices. Waits until the kubelet sees its pods.

        Raises:
            Rejected: it has failed; the text is what its status says.
        """
        if (namespace, name) in self._pods:
            raise ValueError(f"there is a pod {namespace}/{name}")
        async with self._admitting:
            process = self._running()
            await process.sees_pods.wait()
            process.free_what_is_over()
            pod = self._pods[namespace, name] = Pod(namespace, name, str(uuid.uuid4()))
            try:
                return await process.admission.admit(pod, requests, forgotten=self._node)
            except BaseException:
                self.remove(name, namespace=namespace)
                raise

    def remove(self, name: str, *, namespace: str = "default") -> None:
        """The pod has ended; what it held is free."""
        del self._pods[namespace, name]

    def status(self) -> Mapping[str, Counts]:
        """Capacity and allocatable of each resource there has been, as the next update of the node's status says it."""
        if self._process is not None:
            self._node |= self._process.devices.counts()
        return dict(self._node)

    async def wait_for_change(self) -> None:
        """Wait until a plugin has told something, or has gone."""
        await self._stirred.wait()

    def _running(self) -> Process:
        if self._process is None:
            raise RuntimeError("the kubelet does not run")
        return self._process

    def _stir(self) -> None:
        self._stirred.set()
        self._stirred = Event()


async def _open_eyes(process: Process, seconds: float) -> None:
    await sleep(seconds)
    process.sees_pods.set()
