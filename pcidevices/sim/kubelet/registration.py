"""The service that plugins register with."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from grpclib import GRPCError, Status

from pcidevices.kubeletapi import v1beta1

from .clients import Clients, ConnectError
from .names import is_extended_resource
from .plugin import DialError
from .quoting import quoted


_VERSION = "v1beta1"


class Registration(v1beta1.RegistrationBase):
    """Answers when the plugin has been called back, which is what the caller waits for."""

    def __init__(self, folder: Path, clients: Clients) -> None:
        self._folder = folder
        self._clients = clients

    async def register(self, register_request: v1beta1.RegisterRequest | None) -> v1beta1.Empty:
        request = register_request or v1beta1.RegisterRequest()
        if request.version != _VERSION:
            _refuse(
                f"requested API version {quoted(request.version)} is not supported by kubelet. "
                f"Supported version is [{quoted(_VERSION)}]"
            )
        if not is_extended_resource(request.resource_name):
            _refuse(f"the ResourceName {quoted(request.resource_name)} is invalid")
        try:
            await self._clients.connect(request.resource_name, self._folder / request.endpoint)
        except (DialError, ConnectError) as error:
            _refuse(str(error))
        return v1beta1.Empty()


def _refuse(text: str) -> NoReturn:
    """Every refusal has the same status; the text tells which it is."""
    raise GRPCError(Status.UNKNOWN, text)
