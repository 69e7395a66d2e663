"""What the core needs from the outside, and nothing more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pcidevices.api.v1beta1 import PCIDeviceClaimStatus, PCIDeviceStatus
from pcidevices.domain.address import PciAddress
from pcidevices.domain.claim import Claim
from pcidevices.domain.device import Scan
from pcidevices.domain.foreign import ForeignClaim
from pcidevices.domain.health import Check
from pcidevices.domain.held import HeldDevice
from pcidevices.domain.lease import Lease
from pcidevices.domain.offer import Offer
from pcidevices.domain.permitted import KubeVirt, Permission, Write
from pcidevices.domain.published import Node, Owner, PublishedDevice
from pcidevices.domain.sight import Sight
from pcidevices.domain.standing import Standing
from pcidevices.domain.steps import Step
from pcidevices.runtime.latest import Latest


T = TypeVar("T")

Checks = Callable[[], Sequence[Check]]
"""What is looked at when somebody asks."""


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """All objects of a kind that concern this node, as of one version of the cluster."""

    items: tuple[T, ...]
    version: int


class Hardware(Protocol):
    """The PCI functions of this node."""

    def scans(self) -> AsyncIterator[Scan]:
        """Yield all devices, now and whenever something may have changed; raise SysfsUnreadable."""
        ...


class HintSource(Protocol):
    """Something that notices when the hardware may have changed."""

    async def run(self, hint: Callable[[str], None]) -> None:
        """Call ``hint(source)`` each time; for ever, or until it sees that it cannot notice anything here."""
        ...


class Devices(Protocol):
    """The PCIDevices of this node on the API server. Each call may raise any ClusterError."""

    def lists(self) -> AsyncIterator[Listing[PublishedDevice]]:
        """Yield the whole list, now and whenever one changes; goes on for ever, whatever the server does."""
        ...

    async def read(self, name: str) -> PublishedDevice | None:
        """Ask the server itself for one object, whatever its labels are."""
        ...

    async def create(self, name: str, *, labels: Mapping[str, str], owners: Sequence[Owner]) -> PublishedDevice:
        """Make the object, without a status; raise Conflict if it exists."""
        ...

    async def write_metadata(
        self, device: PublishedDevice, *, labels: Mapping[str, str] | None, owners: Sequence[Owner] | None
    ) -> PublishedDevice:
        """Set these labels and owners; raise Conflict if *device* is not the newest version."""
        ...

    async def write_status(self, device: PublishedDevice, status: PCIDeviceStatus) -> PublishedDevice:
        """Send what differs of the status; raise Conflict if *device* is not the newest version."""
        ...

    async def delete(self, device: PublishedDevice) -> None:
        """Delete exactly this version of this object; raise Conflict if it has changed."""
        ...


class Control(Protocol):
    """The one way by which devices of this node are changed, and the fresh look before and after."""

    async def look(self, address: PciAddress) -> Sight:
        """See one device and all around it now. Never waits for the kernel longer than a few seconds."""
        ...

    async def take(self, step: Step) -> None:
        """
        Do it, and wait until the kernel has.

        A step that does not return in time is left alone, and `look` tells of it; until it has returned no other
        step for that device is taken.

        Raises:
            SysfsWriteFailed: the kernel refused.
            HostExhausted: the kernel could not be asked.
            WriteTimedOut: this step, or one before it for the same device, has not returned.
            DriverMissing: there is no such driver or module.
        """
        ...


class Claims(Protocol):
    """The PCIDeviceClaims for this node. Each call may raise any ClusterError."""

    def lists(self) -> AsyncIterator[Listing[Claim]]:
        """Yield the whole list, now and whenever one changes; goes on for ever, whatever the server does."""
        ...

    async def hold(self, claim: Claim) -> Claim:
        """Put our finalizer on it; raise Conflict if *claim* is not the newest version."""
        ...

    async def write_status(self, claim: Claim, status: PCIDeviceClaimStatus) -> Claim:
        """Send what differs of the status; raise Conflict if *claim* is not the newest version."""
        ...

    async def release(self, claim: Claim) -> None:
        """Take our finalizer off it, so that it can go; raise Conflict if *claim* is not the newest version."""
        ...


class Events(Protocol):
    """What people are told beside the status, as Kubernetes Events."""

    def tell(self, claim: Claim, *, reason: str, note: str, warning: bool = False) -> None:
        """Have an Event written for *claim*, soon. It never waits and never fails; equal ones become a series."""
        ...

    async def run(self) -> None:
        """Send what is told, for ever."""
        ...


class Nodes(Protocol):
    """The Node that the agent runs on."""

    def lists(self) -> AsyncIterator[Listing[Node]]:
        """Yield the Node, or nothing while there is none; goes on for ever, whatever the server does."""
        ...


class Plugin(Protocol):
    """One resource's device plugin."""

    async def run(self) -> None:
        """Offer the resource, for ever, whatever the kubelet does; cancelled, withdraw it in order."""
        ...

    @property
    def told(self) -> frozenset[str]:
        """The ids of the devices that the kubelet takes for healthy, as far as we have told it."""
        ...

    async def standing(self) -> Standing:
        """How it stands with the kubelet now."""
        ...

    def compare(self, allocatable: frozenset[str]) -> None:
        """Hear what the kubelet says it can give away, and register anew if that is not what it was told."""
        ...


class Kubelet(Protocol):
    """The kubelet of this node."""

    def plugin(self, offers: Latest[Offer]) -> Plugin:
        """The plugin of one resource, which follows *offers*; it does nothing before it runs."""
        ...

    async def held(self) -> tuple[HeldDevice, ...]:
        """Which container holds what, also where the kubelet does not name its pod; raise KubeletAway."""
        ...

    async def allocatable(self) -> Mapping[str, frozenset[str]]:
        """The ids of the devices of each resource that it can give away, or has; raise KubeletAway."""
        ...


class ClusterClaims(Protocol):
    """The claims of the whole cluster, for as long as it takes to end those of nodes that are gone."""

    async def everywhere(self) -> Sequence[ForeignClaim]:
        """All claims for all nodes, asked for now. Raises any ClusterError."""
        ...

    async def has_node(self, name: str) -> bool:
        """Ask the API server itself whether there is such a Node. Raises any ClusterError but NotFound."""
        ...

    async def delete(self, claim: ForeignClaim) -> ForeignClaim | None:
        """Delete exactly this version; return it as finalizers still keep it. Raises any ClusterError."""
        ...

    async def release(self, claim: ForeignClaim) -> None:
        """Take our finalizer, and no other, off exactly this version. Raises any ClusterError."""
        ...


class Leases(Protocol):
    """One Lease in the cluster. Each call may raise any ClusterError."""

    async def read(self) -> Lease | None:
        """Ask the API server itself; None while there is none."""
        ...

    async def create(self, lease: Lease) -> Lease:
        """Make it; raise Conflict if it exists."""
        ...

    async def write(self, lease: Lease) -> Lease:
        """Put it in the place of the version it has; raise Conflict if that is not the newest."""
        ...


class KubeVirts(Protocol):
    """The KubeVirt of the cluster, and what claims on all nodes need of it. Each call may raise any ClusterError."""

    async def find(self) -> Sequence[KubeVirt]:
        """Ask the API server for the one that was named, or for all; none where KubeVirt is not installed."""
        ...

    async def write(self, kubevirt: KubeVirt, write: Write) -> KubeVirt:
        """Write list and annotation together; raise Conflict if *kubevirt* is not the newest version."""
        ...

    async def still_needed(self, permissions: Collection[Permission]) -> frozenset[Permission]:
        """Those that a claim, on whichever node, needs at this moment; in doubt it is needed."""
        ...


class Http(Protocol):
    """Where Kubernetes asks how the agent is, and Prometheus what it does."""

    async def run(self, *, alive: Checks, ready: Checks) -> None:
        """Answer whoever asks, for ever. Whatever happens there, it is not raised."""
        ...
