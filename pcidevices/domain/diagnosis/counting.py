"""What the kubelet knows: the plug-in, what it counts, and what the Node says."""

from __future__ import annotations

from pcidevices.api.reasons import Reason
from pcidevices.api.v1beta1 import PluginLook
from pcidevices.errors import KubeletAway

from .facts import Facts
from .link import Link, broken, doubtful, holds


UNREADY = "see on the node that the kubelet runs and reaches the API server: journalctl -u kubelet"
"""What to do about a Node that is not Ready."""


def offered(facts: Facts) -> Link | None:
    """Whether the plug-in of the device's resource listens and is registered."""
    look = facts.look
    if look is None:
        return None
    if look.kubelet_problem:
        return broken("offered", KubeletAway.reason, look.kubelet_problem, command="systemctl status kubelet")
    if look.plugin is None:
        fact = f"the kubelet is not offered {facts.resource_name or 'the device'} yet"
        return broken("offered", Reason.NOT_REGISTERED, fact)
    return plugin_of(look.plugin)


def plugin_of(plugin: PluginLook) -> Link:
    """How one resource's plug-in stands."""
    name, command = plugin.resource_name, f"ls -l {plugin.socket}"
    if not plugin.registered:
        reason = plugin.reason or Reason.NOT_REGISTERED
        why = plugin.message or "the kubelet does not know it yet"
        return broken("offered", reason, f"{name}: {why}", command=command)
    if not plugin.socket_found:
        fact = f"{name} is registered, but its socket {plugin.socket} is gone"
        return broken("offered", Reason.SOCKET_GONE, fact, command=command)
    return holds("offered", f"{name} is registered with the kubelet", command)


def kubelet(facts: Facts) -> Link | None:
    """Whether the kubelet counts this very device."""
    plugin = None if facts.look is None else facts.look.plugin
    if plugin is None:
        return None
    command = "journalctl -u kubelet | grep 'device plugin'"
    name = plugin.resource_name
    if plugin.strangers:
        fact = f"another device plug-in offers {name} too: {', '.join(plugin.strangers)}"
        return broken("kubelet", Reason.SECOND_PROVIDER, fact, command=command)
    if plugin.unhealthy:
        fact = f"the kubelet is told not to give it away: {plugin.unhealthy}"
        return broken("kubelet", Reason.NOT_COUNTED, fact, command=command)
    if not plugin.counted:
        fact = f"the kubelet does not count {facts.address} under {name}, although it was told of it"
        return broken("kubelet", Reason.NOT_COUNTED, fact, command=command)
    return holds("kubelet", f"the kubelet counts {facts.address} under {name}", command)


def node(facts: Facts) -> Link | None:
    """Whether the scheduler sees what the kubelet counts."""
    name, resource = facts.node_name, facts.resource_name
    if not resource:
        return None
    command = f"kubectl get node {name} -o jsonpath='{{.status.allocatable}}'"
    seen = facts.node
    if seen is None:
        why = facts.unread.get("node", f"there is no Node {name}")
        return doubtful("node", Reason.NOT_COUNTED, why, command=command, then="see that the node is in the cluster")
    if not seen.is_ready:
        fact = f"Node {name} is not Ready: {seen.message}"
        return broken("node", KubeletAway.reason, fact, command=f"kubectl describe node {name}", then=UNREADY)
    capacity, allocatable = seen.capacity.get(resource), seen.allocatable.get(resource, 0)
    if allocatable:
        return holds("node", f"Node {name} has {allocatable} allocatable of {capacity} {resource}", command)
    told = "has none of" if capacity is None else f"has 0 allocatable of {capacity}"
    counted = facts.look is not None and facts.look.plugin is not None and facts.look.plugin.counted
    later = "; the kubelet counts it, and writes the Node every ten seconds" if counted else ""
    return broken("node", Reason.NOT_COUNTED, f"Node {name} {told} {resource}{later}", command=command)
