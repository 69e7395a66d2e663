"""Tell the kubelet that a plugin listens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from grpclib import GRPCError, Status
from grpclib.client import Channel

from pcidevices.domain.resourcename import why_invalid
from pcidevices.errors import KubeletAway, RegistrationRefused
from pcidevices.kubeletapi import v1beta1

from .calling import call
from .plugin import OPTIONS


API_VERSION = "v1beta1"
KUBELET_SOCKET = "kubelet.sock"
TIMEOUT = 15.0
"""Seconds. The kubelet calls us back before it answers, and gives that 10."""

_NOT_ITS_WORD = frozenset({Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.CANCELLED, Status.RESOURCE_EXHAUSTED})
# All that the kubelet answers has the status UNKNOWN; only its words tell this one from a refusal.
_NOT_REACHED = "failed to dial"


async def register(
    kubelet_dir: Path,
    resource_name: str,
    endpoint: str,
    *,
    is_there: Callable[[], Awaitable[bool]] | None = None,
    timeout: float = TIMEOUT,  # noqa: ASYNC109
) -> None:
    """
    Offer *resource_name*, served on the socket *endpoint* in *kubelet_dir*, which must listen already.

    A kubelet that starts removes the sockets that it finds, and listens then. One that it has removed just before it
    heard of it it would dial for ten seconds: so *is_there* is asked for it when the kubelet listens.

    Raises:
        RegistrationRefused: the kubelet does not want it, or is known not to.
        KubeletAway: there was no answer, or the kubelet did not reach us.
    """
    if (wrong := why_invalid(resource_name)) is not None:
        raise RegistrationRefused(f"the kubelet would not register {wrong}")
    request = v1beta1.RegisterRequest(
        version=API_VERSION, endpoint=endpoint, resource_name=resource_name, options=OPTIONS
    )

    async def ask(channel: Channel) -> None:
        await channel.__connect__()
        if is_there is not None and not await is_there():
            raise KubeletAway(f"{resource_name} is not registered: the kubelet has removed {endpoint} as it started")
        await v1beta1.RegistrationStub(channel).register(request)

    try:
        await call(kubelet_dir / KUBELET_SOCKET, ask, timeout=timeout)
    except GRPCError as error:
        words = error.message or error.status.name
        if error.status in _NOT_ITS_WORD or _NOT_REACHED in words:
            raise KubeletAway(f"{resource_name} is not registered: {words}") from error
        raise RegistrationRefused(f"the kubelet refused {resource_name}: {words}") from error
