"""
What a person can set: each thing once, as a flag and as a variable.

The table below is the truth; the command line and docs/reference/settings.md come from it.
"""

from __future__ import annotations

import argparse
import os
import re
import socket

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pcidevices.errors import ConfigError


BUILTIN = "builtin"
"""The value of --simulate without a file."""

_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0}
_NODE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NODE_NAME_LIMIT = 239  # the name of an object has 253 characters, and an address takes some


def seconds(text: str) -> float:
    """A time such as ``300``, ``90s``, ``5m`` or ``1h``, in seconds; above zero."""
    match = _TIME.fullmatch(text)
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is no time: 300, 90s, 5m, 1h")
    return float(match[1]) * _UNITS[match[2]]


def positive(text: str) -> float:
    """A number above zero."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r} is not above zero")
    return value


def count(text: str) -> int:
    """A whole number above zero."""
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"{text!r} is no whole number above zero")
    return int(text)


def existing_file(text: str) -> Path:
    """A file that is there."""
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"there is no file {text}")
    return path


def node_name(text: str) -> str:
    """The name of a Node object: a DNS subdomain (RFC 1123)."""
    if not _NODE_NAME.fullmatch(text) or len(text) > _NODE_NAME_LIMIT:
        raise ValueError(
            f"{text!r} is no node name: lower-case letters, digits, '-' and '.', at most {_NODE_NAME_LIMIT}"
        )
    return text


def switch(text: str) -> bool:
    """``true`` or ``false`` in a variable."""
    if text.lower() not in {"true", "false", "1", "0", "yes", "no"}:
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() in {"true", "1", "yes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing that can be set, in one or several commands."""

    name: str
    """As in ``--name``; the variable is PCIDEVICES_NAME."""
    commands: frozenset[str]
    help: str
    default: str | None = None
    """As text, the way a person would give it; None when there is none."""
    shown_default: str = ""
    parse: Callable[[str], Any] = str
    choices: Sequence[str] | None = None
    metavar: str | None = None
    without_value: str | None = None
    """What the flag alone means, where it may stand alone."""
    also: str | None = None
    """Another variable that is read when ours is not set."""

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        return f"PCIDEVICES_{self.name.upper().replace('-', '_')}"

    @property
    def key(self) -> str:
        return self.name.replace("-", "_")

    def read(self, text: str) -> Any:  # noqa: ANN401  each setting has a type of its own
        """The value of *text*; raises ValueError when it has none."""
        if self.choices and text not in self.choices:
            raise ValueError(f"{text!r} is none of {', '.join(self.choices)}")
        return self.parse(text)


_AGENT, _LIST, _DEMO = "agent", "list", "demo"
_HERE = frozenset({_AGENT, _LIST})
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
    Setting(name="sysfs", commands=_HERE, parse=Path, default="/sys", metavar="DIR", help="where sysfs is mounted"),
    Setting(
        name="proc",
        commands=frozenset({_AGENT}),
        parse=Path,
        default="/proc",
        metavar="DIR",
        help="where the host's /proc is mounted",
    ),
    Setting(
        name="dev",
        commands=frozenset({_AGENT}),
        parse=Path,
        default="/dev",
        metavar="DIR",
        help="where the host's /dev is mounted",
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
        commands=frozenset({_AGENT}),
        parse=Path,
        default="/var/lib/kubelet",
        metavar="DIR",
        help="the kubelet's folder; device plug-ins will listen below it",
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
        name="log-format",
        commands=_RUNNING,
        default="auto",
        choices=("auto", "json", "console"),
        help="auto: for people on a terminal, JSON elsewhere",
    ),
    Setting(
        name="log-level",
        commands=frozenset({_AGENT, _LIST, _DEMO}),
        default="info",
        choices=("debug", "info", "warning", "error"),
        help="the least that is told",
    ),
)


def add_flags(parser: argparse.ArgumentParser, command: str) -> None:
    """Give *parser* the flags of *command*."""
    for setting in SETTINGS:
        if command in setting.commands:
            default = setting.default or setting.shown_default
            parser.add_argument(
                setting.flag,
                metavar=None if setting.choices else setting.metavar,
                choices=setting.choices,
                nargs="?" if setting.without_value else None,
                const=setting.without_value,
                help=f"{setting.help} [{setting.variable}{f'; default: {default}' if default else ''}]",
            )


def resolve(command: str, flags: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> argparse.Namespace:
    """
    The values that hold: the flag, else the variable, else the default.

    Beside them ``given`` names the settings that a person gave.

    Raises:
        ConfigError: a value cannot be used; the message names the flag or the variable.
    """
    values = argparse.Namespace(**vars(flags), given=set())
    for setting in SETTINGS:
        if command not in setting.commands:
            continue
        source, text, is_given = _given(setting, getattr(flags, setting.key, None), environment)
        try:
            value = None if text is None else setting.read(text)
        except ValueError as error:
            raise ConfigError(f"{source}: {error}") from error
        setattr(values, setting.key, value)
        if is_given:
            values.given.add(setting.key)
    return values


def own_node_name() -> str:
    """
    The host's name as a node name, as the kubelet takes it when it is not told another.

    Raises:
        ConfigError: in a pod, where that is the pod's name; or it is no name for a node.
    """
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        raise ConfigError("in a pod the node's name must be given: --node-name or PCIDEVICES_NODE_NAME (spec.nodeName)")
    try:
        return node_name(socket.gethostname().lower())
    except ValueError as error:
        raise ConfigError(f"--node-name is needed: {error}") from error


def _given(setting: Setting, flag: str | None, environment: Mapping[str, str]) -> tuple[str, str | None, bool]:
    if flag is not None:
        return setting.flag, flag, True
    for variable in (setting.variable, setting.also):
        if variable and environment.get(variable):
            return variable, environment[variable], True
    return setting.flag, setting.default, False
