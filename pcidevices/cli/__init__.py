"""
The command line: `pcidevices agent | list | doctor | crds | demo | version`.

Each command is a module of its own, imported only when it is called: `--help` must not wait for an
API client. Exit status: 0 it worked, 1 it did not, 2 it was asked for in a way that cannot work.
"""

from __future__ import annotations

import argparse
import errno
import gc
import importlib
import os
import signal
import sys
import threading

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

from pcidevices import __version__
from pcidevices.errors import ConfigError, PciDevicesError
from pcidevices.settings import add_flags, resolve


FAILED, MISUSED = 1, 2

_RUNNING = frozenset({"agent", "demo"})
_ENDING = (signal.SIGTERM, signal.SIGINT)

_COMMANDS = {
    "agent": "show this node's devices in the cluster, until stopped",
    "list": "show this machine's devices here; needs no cluster",
    "doctor": "find out what is wrong on this machine; needs no cluster, and changes nothing",
    "crds": "print the custom resource definitions, for kubectl apply -f -",
    "demo": "try it: a simulated node and an API server of its own, ready for kubectl",
    "version": "print the version, and that of the PCI ID database",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    flags = _parser().parse_args(argv)
    try:
        with _ended_by_signals(flags):
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
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EIO}:
            raise
        print(f"pcidevices: the output cannot be written: {error.strerror}", file=sys.stderr)
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  for the interpreter's own flush
        return FAILED
    return status


@contextmanager
def _ended_by_signals(flags: argparse.Namespace) -> Iterator[None]:
    """
    What runs until it is told to stop can be told so from its first moment on.

    A process 1, as in a pod, does not even hear a signal that it has no handler for. What starts later
    puts better handlers in place.
    """
    if flags.command not in _RUNNING or threading.current_thread() is not threading.main_thread():
        yield
        return
    status = FAILED if getattr(flags, "check", False) else 0

    def end(*_: object) -> None:
        raise SystemExit(status)

    before = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(flags: argparse.Namespace) -> int:
    if flags.command == "version":
        return int(_imported("version").run())
    settings = resolve(flags.command, flags)
    return int(_imported(flags.command).run(settings))


def _imported(command: str) -> ModuleType:
    """The command's module. What is imported stays, so that the collector need not look at it, now or later."""
    gc.disable()
    try:
        return importlib.import_module(f"pcidevices.cli.{command}")
    finally:
        gc.freeze()
        gc.enable()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) >= 1 << 16:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 (any that is free) to 65535")
    return int(text)


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
        if name == "doctor":
            command.add_argument("address", nargs="*", metavar="ADDRESS", help="default: all on a vfio driver")
            command.add_argument("-o", "--output", choices=("table", "json"), default="table", help="default: table")
        if name == "demo":
            command.add_argument("--check", action="store_true", help="take the tour alone, print it, and end")
            command.add_argument("--port", type=_port, default=8471, help="of the API server, on 127.0.0.1 (8471)")
    return parser
