"""
The command line: `pcidevices agent | list | crds | demo | version`.

Each command is a module of its own, imported only when it is called: `--help` must not wait for an
API client. Exit status: 0 it worked, 1 it did not, 2 it was asked for in a way that cannot work.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from collections.abc import Sequence

from pcidevices import __version__
from pcidevices.errors import ConfigError, PciDevicesError
from pcidevices.settings import add_flags, resolve


FAILED, MISUSED = 1, 2

_COMMANDS = {
    "agent": "show this node's devices in the cluster, until stopped",
    "list": "show this machine's devices here; needs no cluster",
    "crds": "print the custom resource definitions, for kubectl apply -f -",
    "demo": "try it: a simulated node and an API server of its own, ready for kubectl",
    "version": "print the version",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    flags = _parser().parse_args(argv)
    try:
        status = _run(flags)
        sys.stdout.flush()
    except ConfigError as error:
        print(f"pcidevices: {error}", file=sys.stderr)
        return MISUSED
    except PciDevicesError as error:
        print(f"pcidevices: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _run(flags: argparse.Namespace) -> int:
    if flags.command == "version":
        print(f"pcidevices {__version__}")
        return 0
    settings = resolve(flags.command, flags)
    return int(importlib.import_module(f"pcidevices.cli.{flags.command}").run(settings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pcidevices",
        description="Every PCI device of a Kubernetes cluster as an object, live.",
        epilog="Each setting can also be given as a variable, PCIDEVICES_…; a flag wins.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"pcidevices {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in _COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
        add_flags(command, name)
        if name == "list":
            command.add_argument(
                "-o", "--output", choices=("table", "wide", "json", "yaml"), default="table", help="default: table"
            )
        if name == "demo":
            command.add_argument("--check", action="store_true", help="take the tour alone, print it, and end")
            command.add_argument("--port", type=int, default=8471, help="of the API server, on 127.0.0.1 (8471)")
    return parser
