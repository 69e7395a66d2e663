"""
The few modules of kubernetes_asyncio that are used, without the many that are not.

Its package ``__init__`` files import every model of every API group: 0.3 s and 40 MiB at the least,
on each node of a cluster. Here the packages are put in place without running them, and only what
talks HTTP and reads configuration is imported. Nothing else may import kubernetes_asyncio.
"""

from __future__ import annotations

from pcidevices.runtime.bare import bare_package


bare_package("kubernetes_asyncio")
_client = bare_package("kubernetes_asyncio.client")
bare_package("kubernetes_asyncio.config")

from kubernetes_asyncio.client.configuration import Configuration  # noqa: E402  after the packages are in place
from kubernetes_asyncio.client.rest import RESTClientObject  # noqa: E402


# kube_config takes these two from the package itself; it only ever makes the first.
_client.Configuration = Configuration  # type: ignore[attr-defined]
_client.ApiClient = RESTClientObject  # type: ignore[attr-defined]

from kubernetes_asyncio.config.config_exception import ConfigException  # noqa: E402
from kubernetes_asyncio.config.incluster_config import (  # noqa: E402
    SERVICE_HOST_ENV_NAME,
    load_incluster_config,
)
from kubernetes_asyncio.config.kube_config import load_kube_config  # noqa: E402


__all__ = [
    "SERVICE_HOST_ENV_NAME",
    "ConfigException",
    "Configuration",
    "RESTClientObject",
    "load_incluster_config",
    "load_kube_config",
]
