"""An API client for a server that a test has started, and kubeconfigs for it."""

from __future__ import annotations

import contextlib

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import yaml

from pcidevices.adapters.kube.client import KubeClient
from pcidevices.adapters.kube.credentials import Credentials
from pcidevices.runtime.tokenbucket import TokenBucket


def kubeconfig(server: str, **user: Any) -> dict[str, Any]:
    """A kubeconfig with one cluster and one user."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "now", "context": {"cluster": "here", "user": "me"}}],
        "current-context": "now",
    }


def written(path: Path, config: Any) -> Credentials:
    """Credentials from a file that says this."""
    path.write_text(yaml.safe_dump(config))
    return Credentials(kubeconfig=str(path))


@contextlib.asynccontextmanager
async def a_client(
    credentials: Credentials, *, longest: float = 5.0, rate: float = 1e6, burst: int = 1
) -> AsyncIterator[KubeClient]:
    """A client that is never held up by its own rate, unless told otherwise."""
    bucket = TokenBucket(rate=rate, burst=burst)
    async with KubeClient.connected(
        credentials, bucket=bucket, user_agent="pcidevices/test", longest=longest
    ) as client:
        yield client
