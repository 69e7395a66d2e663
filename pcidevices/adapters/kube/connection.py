"""One connection pool to the API server that a configuration names."""

from __future__ import annotations

import ipaddress
import ssl
import urllib.parse
import urllib.request

from typing import Any

import aiohttp

from pcidevices.errors import ConfigError

from .narrow import Configuration, RESTClientObject


class Connection:
    """
    A session over the connector (TLS, client certificate) that kubernetes_asyncio makes of a configuration.

    Its own session would ask the environment for proxies with each request, in a thread; here that is done
    once.

    Raises:
        ConfigError: the certificates or keys make no sense.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._host = str(configuration.host)
        try:
            self._rest = RESTClientObject(configuration)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise ConfigError(f"the certificates for {self._host} cannot be used: {error}") from error
        self._session = aiohttp.ClientSession(connector=self._rest.pool_manager.connector, connector_owner=False)
        self._server_hostname: str | None = configuration.tls_server_name or None
        self._proxy: str | None = configuration.proxy or _proxy_of_environment(self._host)

    async def request(self, method: str, path: str, **options: Any) -> aiohttp.ClientResponse:  # noqa: ANN401  aiohttp's
        """Send a request; raises what aiohttp raises."""
        return await self._session.request(
            method, f"{self._host}{path}", proxy=self._proxy, server_hostname=self._server_hostname, **options
        )

    async def close(self) -> None:
        await self._session.close()
        await self._rest.close()


def _proxy_of_environment(url: str) -> str | None:
    """What ``HTTPS_PROXY``, ``NO_PROXY`` and their like say of the API server."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    proxies = urllib.request.getproxies()
    if urllib.request.proxy_bypass(host) or any(_is_in(host, network) for network in proxies.get("no", "").split(",")):
        return None
    return proxies.get(parts.scheme)


def _is_in(host: str, network: str) -> bool:
    """Clusters name their networks in NO_PROXY, as 10.96.0.0/12, which urllib does not know."""
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network.strip())
    except ValueError:
        return False
