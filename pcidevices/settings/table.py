"""All that can be set. This table is the truth; the command line and docs/reference/settings.md come from it."""

from __future__ import annotations

from .setting import Setting
from .texts import count, existing_file, host_and_port, namespaced, node_name, positive, seconds, some_path, switch


BUILTIN = "builtin"
"""The value of --simulate without a file."""

_AGENT, _LIST, _DEMO, _DOCTOR = "agent", "list", "demo", "doctor"
_HERE = frozenset({_AGENT, _LIST})
_AT_THE_NODE = frozenset({_AGENT, _DOCTOR})
_RUNNING = frozenset({_AGENT, _DEMO})

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="node-name",
        commands=frozenset({_AGENT, _LIST, _DEMO}),
        parse=node_name,
        metavar="NAME",
        also="NODE_NAME",
        shown_default="the host's name; in a pod it must be given; in the demo janus",
        help="the Node whose devices these are",
    ),
    Setting(
        name="sysfs",
        commands=_HERE | {_DOCTOR},
        parse=some_path,
        default="/sys",
        metavar="DIR",
        help="where sysfs is mounted",
    ),
    Setting(
        name="proc",
        commands=_AT_THE_NODE,
        parse=some_path,
        default="/proc",
        metavar="DIR",
        help="where the host's /proc is mounted",
    ),
    Setting(
        name="dev",
        commands=_AT_THE_NODE,
        parse=some_path,
        default="/dev",
        metavar="DIR",
        help="where the host's /dev is mounted",
    ),
    Setting(
        name="udev",
        commands=_AT_THE_NODE,
        parse=some_path,
        default="/run/udev/data",
        metavar="DIR",
        help="where the host's udev database is mounted; it need not be there",
    ),
    Setting(
        name="modules",
        commands=_AT_THE_NODE,
        parse=some_path,
        default="/lib/modules",
        metavar="DIR",
        help="where the host's kernel modules are; a path that ends in lib/modules",
    ),
    Setting(
        name="pci-ids",
        commands=_HERE,
        parse=existing_file,
        metavar="FILE",
        shown_default="where distributions put it",
        help="the PCI ID database (pci.ids)",
    ),
    Setting(
        name="kubeconfig",
        commands=frozenset({_AGENT}),
        metavar="FILE",
        also="KUBECONFIG",
        shown_default="the pod's service account, else ~/.kube/config",
        help="how to reach the API server",
    ),
    Setting(
        name="context",
        commands=frozenset({_AGENT}),
        metavar="NAME",
        shown_default="the current context",
        help="the context of the kubeconfig to use",
    ),
    Setting(
        name="kubelet-dir",
        commands=_AT_THE_NODE,
        parse=some_path,
        default="/var/lib/kubelet",
        metavar="DIR",
        help="the kubelet's folder; device plug-ins listen below it",
    ),
    Setting(
        name="resync",
        commands=_RUNNING,
        parse=seconds,
        default="10m",
        metavar="TIME",
        help="look at the hardware at least this often, although nothing hints at a change",
    ),
    Setting(
        name="node-grace",
        commands=frozenset({_AGENT}),
        parse=seconds,
        default="5m",
        metavar="TIME",
        help="how long a Node must be gone before the agent of another one ends its claims",
    ),
    Setting(
        name="namespace",
        commands=frozenset({_AGENT}),
        metavar="NAME",
        also="POD_NAMESPACE",
        default="kube-system",
        help="where the agents' Lease is",
    ),
    Setting(
        name="kubevirt",
        commands=frozenset({_AGENT}),
        parse=namespaced,
        metavar="NAMESPACE/NAME",
        shown_default="the only one there is",
        help="the KubeVirt object whose list of permitted host devices is kept",
    ),
    Setting(
        name="bridges",
        commands=frozenset({_AGENT}),
        parse=switch,
        default="false",
        without_value="true",
        metavar="BOOL",
        help="publish PCI-to-PCI bridges too",
    ),
    Setting(
        name="simulate",
        commands=frozenset({_AGENT}),
        without_value=BUILTIN,
        metavar="SPEC",
        help="run over a simulated node, described in a YAML file, instead of this one's hardware; "
        "without a file, over the built-in one",
    ),
    Setting(
        name="api-rate",
        commands=_RUNNING,
        parse=positive,
        default="50",
        metavar="N",
        help="requests a second to the API server, once the burst is used up",
    ),
    Setting(
        name="api-burst",
        commands=_RUNNING,
        parse=count,
        default="600",
        metavar="N",
        help="requests to the API server that may go out at once, such as a node's first devices",
    ),
    Setting(
        name="http",
        commands=_RUNNING,
        parse=host_and_port,
        metavar="HOST:PORT",
        help="answer /healthz, /readyz and /metrics there; :8080 is that port of all addresses; "
        "without it nothing listens",
    ),
    Setting(
        name="log-format",
        commands=_RUNNING,
        default="auto",
        choices=("auto", "json", "console"),
        help="auto: for people on a terminal, JSON elsewhere",
    ),
    Setting(
        name="log-level",
        commands=frozenset({_AGENT, _LIST, _DEMO, _DOCTOR}),
        default="info",
        choices=("debug", "info", "warning", "error"),
        help="the least that is told",
    ),
)
