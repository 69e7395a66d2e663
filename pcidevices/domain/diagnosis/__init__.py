"""Why a device cannot be used: one chain from the person who asks to the virtual machine. Pure."""

from .chain import diagnose
from .facts import Answer, Facts, NodeSeen, Wish
from .link import Diagnosis, Link, Mark


__all__ = ["Answer", "Diagnosis", "Facts", "Link", "Mark", "NodeSeen", "Wish", "diagnose"]
