"""What the host's drivers make of a device: network interfaces and disks."""

from pcidevices.sim.node.below.make import Below


__all__ = ["Below"]
