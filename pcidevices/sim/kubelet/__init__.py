"""
A simulated kubelet: registration, admission and podresources over real sockets. It knows nothing of the agent.

`docs/explanation/simulated-kubelet.md` says what it shows and what it does not; the contract tests hold it against
a real kubelet.
"""

from .admission import DeviceNode, Given, Rejected
from .clients import Dialling
from .devices import Counts
from .kubelet import SimulatedKubelet
from .nodestatus import report


__all__ = ["Counts", "DeviceNode", "Dialling", "Given", "Rejected", "SimulatedKubelet", "report"]
