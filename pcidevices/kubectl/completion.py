"""
What the shell offers at TAB: kubectl calls ``kubectl_complete-claim WORD…`` and so on.

Each candidate stands on a line of its own, with a tab and a word about it; the last line, ``:4``, says that file names
are no candidates. Whatever goes wrong, there are no candidates and no noise.
"""

from __future__ import annotations

import argparse
import importlib

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr, suppress
from io import StringIO
from typing import TYPE_CHECKING

from . import COMMANDS, given
from .flags import Parser, add_global_flags


if TYPE_CHECKING:
    from .transport import Kubectl


NO_FILES, FILES = ":4", ":0"
Candidates = Iterable[tuple[str, str]]


def claim(argv: Sequence[str] | None = None) -> int:
    """For `kubectl claim`."""
    return _print(lambda: _of_command("pcidevices.kubectl.claim", given(argv), _unclaimed))


def unclaim(argv: Sequence[str] | None = None) -> int:
    """For `kubectl unclaim`."""
    return _print(lambda: _of_command("pcidevices.kubectl.unclaim", given(argv), _claimed))


def pci(argv: Sequence[str] | None = None) -> int:
    """For `kubectl pci`."""
    return _print(lambda: _of_group(COMMANDS, given(argv)))


def _print(candidates: Callable[[], Candidates]) -> int:
    directive = NO_FILES
    with suppress(Exception):
        for word, about in candidates():
            if word == FILES:
                directive = FILES
            else:
                print(f"{word}\t{about}" if about else word)
    print(directive)
    return 0


def _of_group(commands: Mapping[str, tuple[str, str]], argv: Sequence[str]) -> Candidates:
    *before, last = argv or [""]
    command = next((word for word in before if word in commands), None)
    if command is None:
        return [(name, text) for name, (_, text) in commands.items() if name.startswith(last)]
    names = {"tree": _nodes}.get(command, _all_devices)
    return _of_command(commands[command][0], argv[argv.index(command) + 1 :], names)


def _of_command(module_name: str, argv: Sequence[str], names: Callable[[list[str]], Candidates]) -> Candidates:
    """Flags, the values of flags, or what the command is about."""
    *before, last = argv or [""]
    parser, passed_on = Parser(prog="kubectl", allow_abbrev=False), list[str]()
    importlib.import_module(module_name).add_flags(parser)
    add_global_flags(parser, passed_on)
    options = {name: action for action in parser._actions for name in action.option_strings}  # noqa: SLF001
    with redirect_stderr(StringIO()), suppress(SystemExit):
        parser.parse_known_args(before)  # what is to be passed on to kubectl
    flag, given, value = last.partition("=")
    if given and flag in options:
        return [
            (f"{flag}={word}", about) for word, about in _values(options[flag], passed_on) if word.startswith(value)
        ]
    if last.startswith("-"):
        return _flags(options, last)
    asked = options.get(before[-1]) if before else None
    if asked is not None and asked.nargs != 0:
        return [one for one in _values(asked, passed_on) if one[0].startswith(last) or one[0] == FILES]
    return [one for one in names(passed_on) if one[0].startswith(last) and one[0] not in before]


def _flags(options: Mapping[str, argparse.Action], last: str) -> Candidates:
    for name, action in sorted(options.items()):
        if name.startswith("--") and name.startswith(last) and action.help != argparse.SUPPRESS:
            yield name, (action.help or "").replace("\n", " ")


def _values(action: argparse.Action, passed_on: list[str]) -> Candidates:
    if action.choices:
        return [(str(choice), "") for choice in action.choices]
    if "--node" in action.option_strings:
        return _nodes(passed_on)
    return [(FILES, "")]


def _all_devices(passed_on: list[str]) -> Candidates:
    from .objects import devices  # noqa: PLC0415  flags must not wait for it

    return [(device.name, device.status.description) for device in devices(_kubectl(passed_on))]


def _nodes(passed_on: list[str]) -> Candidates:
    from .objects import devices  # noqa: PLC0415

    return [(name, "") for name in sorted({device.status.node_name for device in devices(_kubectl(passed_on))})]


def _unclaimed(passed_on: list[str]) -> Candidates:
    from .objects import claims, devices, owners  # noqa: PLC0415
    from .refusals import is_bridge  # noqa: PLC0415

    kubectl = _kubectl(passed_on)
    taken = owners(claims(kubectl))
    free = (device for device in devices(kubectl) if device.place not in taken and not is_bridge(device))
    return [(device.name, device.status.description) for device in free]


def _claimed(passed_on: list[str]) -> Candidates:
    from .objects import claims  # noqa: PLC0415

    return [(one.name, f"{one.spec.address} of {one.spec.node_name}") for one in claims(_kubectl(passed_on))]


def _kubectl(passed_on: list[str]) -> Kubectl:
    from . import transport  # noqa: PLC0415

    return transport.Kubectl(tuple(passed_on))
