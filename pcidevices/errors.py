"""Every failure this program names. The reference page is docs/reference/errors.md."""

from __future__ import annotations

import re

from typing import ClassVar


_IS_INVALID = re.compile(r'The (?:\S+ ".*"|request) is invalid\b')
"""What kubectl makes of a 422, which it tells without the server's word for it."""


class PciDevicesError(Exception):
    """Base class; never raised itself. The message names the thing and what to look at next."""

    reason: ClassVar[str] = "Error"
    """One CamelCase word: the condition's reason, the Event's reason, the metric's label and the log's key."""

    terminal: ClassVar[bool] = False
    """True when trying again cannot help until a person or the spec changes something."""


class ConfigError(PciDevicesError):
    """A flag, a variable or a file that a person gave cannot be used. Exit status 2."""

    reason = "ConfigError"
    terminal = True


class HardwareError(PciDevicesError):
    """The node's devices are not in a shape we can work with."""


class SysfsUnreadable(HardwareError):
    """There is no PCI bus below the sysfs root, or it cannot be listed."""

    reason = "SysfsUnreadable"


class DeviceNotFound(HardwareError):
    """The device is not on this node (any more)."""

    reason = "DeviceNotFound"


class DeviceUnreadable(HardwareError):
    """An attribute that the device must have is missing or makes no sense; the device is left out."""

    reason = "DeviceUnreadable"


class HostExhausted(HardwareError):
    """The host has no process, descriptor or memory left for a look or a step. That says nothing of the devices."""

    reason = "HostExhausted"


class DriverMissing(HardwareError):
    """The driver that is needed is not in the kernel, and cannot be loaded."""

    reason = "DriverMissing"


class SysfsWriteFailed(HardwareError):
    """The kernel refused a step; the message names the file and the kernel's answer."""

    reason = "SysfsWriteFailed"


class DeviceNotTaken(HardwareError):
    """The kernel refused nothing, and yet the driver has not got the device."""

    reason = "DeviceNotTaken"


class WriteTimedOut(HardwareError):
    """A step has not returned: the kernel waits for somebody who uses the device."""

    reason = "WriteTimedOut"


class ClusterError(PciDevicesError):
    """The API server did not do what was asked of it."""

    reason = "ClusterError"


class Conflict(ClusterError):
    """Somebody, perhaps we ourselves, wrote the object after we read it; or it exists already."""

    reason = "Conflict"


class NotFound(ClusterError):
    """The object, or its kind, does not exist on the API server."""

    reason = "NotFound"


class Expired(ClusterError):
    """The resource version or continue token is too old: list again."""

    reason = "Expired"


class Refused(ClusterError):
    """The API server finds the request itself wrong (400, 422); sending it again cannot help."""

    reason = "Refused"
    terminal = True


class Unauthorized(ClusterError):
    """The API server does not know who we are: the credentials are wrong or have expired."""

    reason = "Unauthorized"


class Forbidden(ClusterError):
    """RBAC does not let us; the message names the verb and the resource."""

    reason = "Forbidden"


class Throttled(ClusterError):
    """The API server asks us to come back later."""

    reason = "Throttled"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds, as the API server asked for them."""


class Unavailable(ClusterError):
    """No answer: not reachable, timed out, or an error on the server's side."""

    reason = "Unavailable"


class KubeletError(PciDevicesError):
    """The kubelet of this node does not know our devices."""

    reason = "KubeletError"


class RegistrationRefused(KubeletError):
    """The kubelet answered that it does not want this resource; the message has its words."""

    reason = "RegistrationRefused"
    terminal = True


class KubeletAway(KubeletError):
    """No useful answer from the kubelet: its socket is missing or dead, or it did not reach ours in time."""

    reason = "KubeletAway"


class SocketUnusable(KubeletError):
    """A plugin's socket cannot be made in the kubelet's folder, or another device plugin listens there."""

    reason = "SocketUnusable"


class KubectlFailed(ClusterError):
    """The kubectl that carries a plug-in's request says that it did not work; the message is its own."""

    reason = "KubectlFailed"

    def __init__(self, lines: tuple[str, ...], *, status: int) -> None:
        super().__init__("\n".join(lines) or f"kubectl ended with status {status} and said nothing")
        self.lines = lines or (str(self),)
        """What it said on stderr."""
        self.status = status

    @property
    def word(self) -> str:
        """The API server's word for it, such as ``Forbidden`` or ``NotFound``; empty when it was not the server's."""
        for line in self.lines:
            _, found, rest = line.partition("Error from server (")
            if found:
                return rest.partition(")")[0]
            if _IS_INVALID.match(line):
                return "Invalid"
        return ""


class KubectlMissing(PciDevicesError):
    """There is no kubectl to carry a plug-in's request."""

    reason = "KubectlMissing"
    terminal = True
