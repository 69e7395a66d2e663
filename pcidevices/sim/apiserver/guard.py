"""
Who may talk to the server: programs on this machine, and no web page.

There is no authentication. Any page in a browser can send requests to loopback, with the page's Origin; and a name that
somebody else's DNS resolves to 127.0.0.1 arrives as a foreign Host.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from .errors import ApiError, forbidden


def check_loopback(host: str) -> None:
    """Raise ValueError for an address that others could reach."""
    if not _is_loopback(host):
        raise ValueError(f"{host} is not a loopback address; the embedded API server has no authentication")


def refusal(headers: Mapping[str, str]) -> ApiError | None:
    """Why a request with these headers is not answered, or None."""
    if "Origin" in headers:
        return forbidden("requests of web pages are refused")
    host = headers.get("Host", "")
    if not _is_loopback(_without_port(host)):
        return forbidden(f"the host {host!r} is not this machine")
    return None


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
