"""The node that most tests of the whole agent have: bridges, two NICs, a graphics card, a disk, a card that splits."""

from __future__ import annotations


BRIDGE, ISA = "0000:00:1c.0", "0000:00:1f.0"
NIC, TWIN = "0000:01:00.0", "0000:01:01.0"
GPU, SOUND = "0000:02:00.0", "0000:02:00.1"
PF, VF = "0000:03:00.0", "0000:03:10.0"
DISK = "0000:04:00.0"
NICS = "intel.com/82599ES_10GIGABIT_SFI_SFP_NETWORK_CONNECTION"
"""The resource name of `NIC` and `TWIN`."""
CARD = "nvidia.com/GP106_GEFORCE_GTX_1060_3GB"
"""That of `GPU`."""
PUBLISHED = 7
"""How many of them get a PCIDevice: all but the PCI-to-PCI bridge."""
SPEC = f"""
kernel: "6.12"
iommu: on
modules:
  vfio-pci: loadable
devices:
  {BRIDGE}: {{id: "8086:a190", class: 0604, bridge: {{buses: "02"}}}}
  {ISA}: {{id: "8086:a1c1", class: 0601, driver: lpc_ich}}
  {NIC}: {{id: "8086:10fb", class: 0200, driver: ixgbe, net: {{name: ens1}}}}
  {TWIN}: {{id: "8086:10fb", class: 0200, driver: ixgbe, net: {{name: ens2}}}}
  {GPU}: {{id: "10de:1c02", class: 0300, driver: nouveau}}
  {SOUND}: {{id: "10de:10f1", class: 0403, driver: snd_hda_intel}}
  {DISK}:
    id: "144d:a808"
    class: 010802
    driver: nvme
    disk: {{kind: nvme, serial: S1, partitions: {{1: /data}}}}
  {PF}:
    id: "8086:10c9"
    class: 0200
    driver: igb
    sriov: {{total: 8, limit: 8, offset: 128, stride: 2, id: "8086:10ca", driver: igbvf}}
"""
