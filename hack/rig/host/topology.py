"""The guest's hardware, as arguments for QEMU. Addresses and ids are relied on: docs/how-to/rig.md lists them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Iommu:
    """What brings one about."""

    devices: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    kernel_arguments: str = ""


# Each with interrupt remapping for x2APIC, so that local timers are not memory-mapped: while one processor maps PCI
# devices, a write to memory-mapped registers by another gets lost at times, and a lost timer hangs the guest for ever.
INTEL = ("intel-iommu,intremap=on,eim=on",)
IOMMUS = {
    "intel": Iommu(devices=INTEL, kernel_arguments="intel_iommu=on"),
    # With QEMU's, neither DMA by the kernel (an NVMe disk never answers) nor ACPI's interrupt arrives.
    "amd": Iommu(
        devices=("amd-iommu,intremap=on,xtsup=on",),
        properties=("ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",),
        kernel_arguments="iommu=pt",
    ),
    "none": Iommu(devices=INTEL, kernel_arguments="intel_iommu=off"),
}

# What the rig itself needs. Devices without `bus` are on the root bus, which must come first: see NUMA below.
MANAGEMENT = ("virtio-net-pci,id=mgmt,addr=0a.0,netdev=host,mac=52:54:00:00:0a:00",)

NVME_WITH_QUEUES_TO_SPARE = ",max_ioqpairs=6,msix_qsize=7,sriov_vq_flexible=4,sriov_vi_flexible=2"
EVERYTHING = (
    # Two of the same.
    "e1000e,id=nic0,addr=03.0,mac=52:54:00:00:03:00",
    "e1000e,id=nic1,addr=04.0,mac=52:54:00:00:04:00",
    # Two functions on the root bus: the kernel trusts these to be apart, so each has an IOMMU group of its own.
    "e1000e,id=rootmf0,addr=05.0,multifunction=on,mac=52:54:00:00:05:00",
    "e1000e,id=rootmf1,addr=05.1,multifunction=on,mac=52:54:00:00:05:01",
    # A bridge to conventional PCI: one group with all behind it.
    "pcie-pci-bridge,id=oldbus,addr=06.0",
    "rtl8139,id=oldnic,bus=oldbus,addr=1,mac=52:54:00:00:06:01",
    "edu,id=oldedu,bus=oldbus,addr=2",
    "nvme,id=bootdisk,addr=07.0,drive=disk0,serial=BOOT",
    "nvme,id=datadisk,addr=08.0,drive=disk1,serial=DATA",
    "VGA,id=vga,addr=0b.0",
    "edu,id=edu,addr=0e.0",  # no driver exists; the same ids as behind the bridge
    "qemu-xhci,id=xhci,addr=0f.0",
    # Empty, to plug into: buses 02 and 03.
    "pcie-root-port,id=rp0,chassis=1,slot=1,addr=10.0,multifunction=on",
    "pcie-root-port,id=rp1,chassis=2,slot=2,addr=10.1",
    # SR-IOV.
    "pcie-root-port,id=rp2,chassis=3,slot=3,addr=11.0",
    "igb,id=igb,bus=rp2,mac=52:54:00:00:11:00",
    "pcie-root-port,id=rp3,chassis=4,slot=4,addr=12.0",
    "nvme-subsys,id=subsystem",
    "nvme,id=nvmepf,bus=rp3,serial=SRIOV,subsys=subsystem,sriov_max_vfs=2" + NVME_WITH_QUEUES_TO_SPARE,
    # Two functions behind a port: one group. Both say multifunction, or a rescan finds them in two.
    "pcie-root-port,id=rp4,chassis=5,slot=5,addr=13.0",
    "e1000e,id=mf0,bus=rp4,addr=0.0,multifunction=on,mac=52:54:00:00:13:00",
    "e1000e,id=mf1,bus=rp4,addr=0.1,multifunction=on,mac=52:54:00:00:13:01",
    # A GPU and its audio.
    "pcie-root-port,id=rp5,chassis=6,slot=6,addr=14.0",
    "secondary-vga,id=gpu,bus=rp5,addr=0.0,multifunction=on",
    "intel-hda,id=gpuaudio,bus=rp5,addr=0.1,multifunction=on",
)

# Two more root buses, each with two equal cards on its node. Last of all: they would swallow devices that name no bus.
NUMA = (
    "pxb-pcie,id=node0,bus_nr=0x40,numa_node=0,bus=pcie.0,addr=1e.0",
    "pcie-root-port,id=rp0node0,bus=node0,chassis=10,slot=10",
    "e1000e,id=node0nic,bus=rp0node0,mac=52:54:00:00:41:00",
    "pcie-root-port,id=rp1node0,bus=node0,chassis=11,slot=11",
    "e1000e,id=node0twin,bus=rp1node0,mac=52:54:00:00:42:00",
    "pxb-pcie,id=node1,bus_nr=0x80,numa_node=1,bus=pcie.0,addr=1d.0",
    "pcie-root-port,id=rp0node1,bus=node1,chassis=9,slot=9",
    "e1000e,id=node1nic,bus=rp0node1,mac=52:54:00:00:81:00",
    "pcie-root-port,id=rp1node1,bus=node1,chassis=12,slot=12",
    "e1000e,id=node1twin,bus=rp1node1,mac=52:54:00:00:82:00",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the guest is made of."""

    iommu: Iommu = IOMMUS["intel"]
    numa: bool = False
    bare: bool = False
    memory: int = 1024
    processors: int = 2
    devices: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """For QEMU: the machine and all devices but those through which the rig speaks with the guest."""
        return [
            *("-machine", "q35,kernel-irqchip=split", "-m", f"{self.memory}M", "-smp", str(self.processors)),
            *_each("-global", (*self.iommu.properties, *self.properties)),
            *_each("-device", self.iommu.devices),
            *("-netdev", "user,id=host,ipv6=off"),
            *_each("-device", MANAGEMENT),
            *([] if self.bare else [*_disk("disk0"), *_disk("disk1"), *_each("-device", EVERYTHING)]),
            *_each("-device", self.devices),
            *(self._numa() if self.numa else []),
        ]

    def _numa(self) -> list[str]:
        """Two nodes with half of the memory and of the processors each, and the devices of each."""
        first = self.processors // 2
        processors = (f"0-{first - 1}", f"{first}-{self.processors - 1}")
        nodes = [
            *_each("-object", (f"memory-backend-ram,id=memory{i},size={self.memory // 2}M" for i in (0, 1))),
            *_each("-numa", (f"node,nodeid={i},memdev=memory{i},cpus={processors[i]}" for i in (0, 1))),
        ]
        return [*nodes, *_each("-device", NUMA)]


def _disk(name: str) -> list[str]:
    """64 MB of zeros, and a file that is already deleted for what the guest writes."""
    empty = "file.driver=null-co,file.size=64M,file.read-zeroes=on,format=raw,snapshot=on"
    return ["-drive", f"if=none,id={name},{empty}"]


def _each(option: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (option, value)]
