"""From words to a command: flags, the call, and what a person reads when it fails."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys

from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from pcidevices import __version__
from pcidevices.errors import KubectlFailed, PciDevicesError

from .flags import Leaf, Parser, add_global_flags
from .transport import Kubectl


FAILED, INTERRUPTED = 1, 130
_REFUSED = re.compile(r'cannot (\w+) resource "pcidevice')
"""As RBAC says it; a policy has words of its own, which name what is missing."""
_ROLES = {"get": "viewer", "list": "viewer", "watch": "viewer"}


def run_one(name: str, module_name: str, argv: Sequence[str]) -> int:
    """A plug-in that is one command."""
    module = importlib.import_module(module_name)
    passed_on: list[str] = []
    parser = Leaf(
        prog=f"kubectl {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_flags(parser)
    add_global_flags(parser, passed_on)
    return _told(lambda: module.run(parser.parse_args(argv), Kubectl(tuple(passed_on))))


def run_group(name: str, commands: Mapping[str, tuple[str, str]], argv: Sequence[str]) -> int:
    """A plug-in with commands of its own."""
    passed_on: list[str] = []
    parser = Parser(prog=f"kubectl {name}", description="PCI devices of the cluster.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"pcidevices {__version__}")
    add_global_flags(parser, passed_on)
    subs = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Leaf)
    for command, (module_name, text) in commands.items():
        if command not in argv:
            subs.add_parser(command, help=text, add_help=False)
            continue
        module = importlib.import_module(module_name)
        sub = subs.add_parser(
            command,
            help=text,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_flags(sub)
        add_global_flags(sub, passed_on)

    def run() -> int:
        flags = parser.parse_args(argv)
        return int(importlib.import_module(commands[flags.command][0]).run(flags, Kubectl(tuple(passed_on))))

    return _told(run)


def _told(run: Callable[[], int]) -> int:
    """Run it; say what went wrong as kubectl would."""
    _take_any_text(sys.stdout)
    _take_any_text(sys.stderr)
    try:
        status = run()
        sys.stdout.flush()
    except KubectlFailed as error:
        for line in error.lines:
            print(line, file=sys.stderr)
        if hint := missing_role(error):
            print(hint, file=sys.stderr)
        return FAILED
    except PciDevicesError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def missing_role(error: KubectlFailed) -> str:
    """Which of our roles lets a person do what RBAC has refused; empty when it was refused for another reason."""
    refused = _REFUSED.search(str(error))
    if error.word != "Forbidden" or refused is None:
        return ""
    role = f"pcidevices-{_ROLES.get(refused[1], 'claimer')}"
    return f"You need the ClusterRole {role}; ask whoever administers the cluster to bind it to you."


def _take_any_text(stream: TextIO) -> None:
    """What the terminal's encoding does not have is shown as ``?``; that is no reason to fail."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
