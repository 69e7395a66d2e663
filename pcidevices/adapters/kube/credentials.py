"""Where the API server is, and who we are to it."""

from __future__ import annotations

import os

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from anyio import fail_after

from pcidevices.errors import ConfigError

from .narrow import (
    SERVICE_HOST_ENV_NAME,
    Configuration,
    load_incluster_config,
    load_kube_config,
)


_LONGEST_PLUGIN = 30.0
USUAL_KUBECONFIG = Path("~/.kube/config")


@dataclass(frozen=True, slots=True)
class Credentials:
    """
    How to find a configuration, not what it said when it was read: tokens and certificates rotate.

    In this order: the file that was named, the pod's service account, ``~/.kube/config``.
    """

    kubeconfig: str | None = None
    """One path, or several with colons between them, as in ``$KUBECONFIG``."""
    context: str | None = None

    async def load(self) -> Configuration:
        """
        Read the configuration as it is now.

        Raises:
            ConfigError: there is none, or it makes no sense.
        """
        configuration = Configuration()
        try:
            if self.kubeconfig is None and os.environ.get(SERVICE_HOST_ENV_NAME):
                load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
                return configuration
            paths = self._paths()
            with fail_after(_LONGEST_PLUGIN):
                await load_kube_config(
                    config_file=paths,
                    context=self.context,
                    client_configuration=configuration,
                    persist_config=False,
                )
        except ConfigError:
            raise
        except Exception as error:
            source = self.kubeconfig or "the Kubernetes configuration"
            raise ConfigError(f"{source} cannot be used: {error} ({type(error).__name__})") from error
        if urlsplit(str(configuration.host)).scheme not in {"http", "https"}:
            raise ConfigError(f"{self.kubeconfig}: {configuration.host!r} is no address of an API server")
        return configuration

    def _paths(self) -> str:
        paths = self.kubeconfig or str(USUAL_KUBECONFIG.expanduser())
        if not any(Path(path).expanduser().is_file() for path in paths.split(":") if path):
            raise ConfigError(
                f"no kubeconfig at {paths}, and this is no pod with a service account; "
                "name one with --kubeconfig or $KUBECONFIG"
            )
        return paths
