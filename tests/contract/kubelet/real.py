"""The kubelet of a running cluster of hack/cluster."""

from __future__ import annotations

import json
import subprocess

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import yaml

from anyio import Path as AsyncPath
from anyio import to_thread

from tests.contract.apiserver.client import connected
from tests.contract.kubelet.world import SeenPod
from tests.support.kubeletcalls import Refused, holders
from tests.support.waiting import until


_HACK = Path(__file__).parents[3] / "hack/cluster"
_PODS = "/api/v1/namespaces/default/pods"


class RealWorld:
    """Its API server is asked for what its node and its pods are."""

    patience = 10.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.device_plugins = folder / "kubelet/device-plugins"
        self.pod_resources = folder / "kubelet/pod-resources/kubelet.sock"
        self._config = yaml.safe_load((folder / "kubeconfig").read_text())

    async def pod(self, name: str, resource: str, count: int) -> SeenPod:
        container = {"name": "c", "image": "localhost/any:1", "resources": {"limits": {resource: str(count)}}}
        spec = {"nodeName": await self._node(), "restartPolicy": "Never", "containers": [container]}
        await self._ask("POST", _PODS, {"metadata": {"name": name}, "spec": spec})
        status: dict[str, Any] = {}

        async def has_settled() -> bool:
            nonlocal status
            status = (await self._ask("GET", f"{_PODS}/{name}"))["status"]
            return bool(status["phase"] != "Pending")

        await until(has_settled, wanted=True)
        created = await self._created(name) if status["phase"] == "Running" else {}
        ids = created.get("envs", {}).get("GIVEN", "").split(",")
        nodes = {
            (node["hostPath"], node["containerPath"], node["permissions"]) for node in created.get("devices") or ()
        }
        return SeenPod(
            status["phase"],
            status.get("reason", ""),
            status.get("message", ""),
            frozenset(filter(None, ids)),
            frozenset(nodes),
        )

    async def remove(self, name: str) -> None:
        """Until the kubelet does not know it any more."""
        await self._ask("DELETE", f"{_PODS}/{name}?gracePeriodSeconds=0")

        async def is_known() -> bool:
            return name in await holders(self.pod_resources, "")

        await until(is_known, wanted=False)

    async def counts(self, resource: str) -> tuple[int, int] | None:
        status = (await self._ask("GET", f"/api/v1/nodes/{await self._node()}"))["status"]
        if resource not in status["capacity"]:
            return None
        return int(status["capacity"][resource]), int(status["allocatable"][resource])

    async def restart(self, *, with_api: bool = True) -> None:
        """Without the API server: that one is stopped first."""
        if not with_api:
            await self._control("stop", "kube-apiserver")
        await self._control("restart", "kubelet")

        async def answers() -> bool:
            with suppress(Refused, grpc.RpcError):
                seen = await holders(self.pod_resources, "")
                return bool(seen) or not with_api or not await self._pods()
            return False

        await until(answers, wanted=True)

    async def api_comes_back(self) -> None:
        await self._control("start", "kube-apiserver")

    async def _pods(self) -> list[Any]:
        pods: list[Any] = (await self._ask("GET", _PODS))["items"]
        return [pod for pod in pods if pod["status"]["phase"] == "Running"]

    async def _node(self) -> str:
        nodes = await self._ask("GET", "/api/v1/nodes")
        name: str = nodes["items"][0]["metadata"]["name"]
        return name

    async def _created(self, pod: str) -> dict[str, Any]:
        text = await AsyncPath(self._folder / "created.jsonl").read_text()
        lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
        return next(line for line in reversed(lines) if line["pod"] == pod)

    async def _control(self, command: str, component: str) -> None:
        run = partial(subprocess.run, [_HACK, command, "--dir", self._folder, component], check=True)
        await to_thread.run_sync(run)

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        async with (
            connected(self._config) as (session, url),
            session.request(method, url + path, json=body) as response,
        ):
            answer = await response.json()
            assert response.ok, answer
            return answer
