"""Show the PCI devices of a Kubernetes cluster, and hand them to virtual machines."""

__version__ = "0.1.0"
