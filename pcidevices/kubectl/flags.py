"""The flags that every command of kubectl has, passed on to it as they were given."""

from __future__ import annotations

import argparse
import sys

from collections.abc import Sequence
from typing import Any, NoReturn


# Those of `kubectl options` (1.37); an older kubectl that does not know one will say so.
_WITH_VALUE = (
    *("as", "as-group", "as-uid", "as-user-extra", "cache-dir", "certificate-authority", "client-certificate"),
    *("client-key", "cluster", "context", "kubeconfig", "kuberc", "log-flush-frequency", "namespace", "password"),
    *("profile", "profile-output", "proxy-url", "request-timeout", "server", "tls-server-name", "token", "user"),
    *("username", "v", "vmodule"),
)
_SWITCHES = ("disable-compression", "insecure-skip-tls-verify", "match-server-version", "warnings-as-errors")
_SHORT = {"namespace": "-n", "server": "-s"}
_SHOWN = {"context": "the kubeconfig's context", "kubeconfig": "the file with clusters and users", "as": "impersonate"}


class Parser(argparse.ArgumentParser):
    """A parser that complains as kubectl does, and takes ``--wait=true`` for ``--wait``."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"error: {message}\nSee '{self.prog} --help' for usage.\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401  as in argparse
        return super().parse_known_args(self._spelled_out(args), namespace)

    def _spelled_out(self, given: Sequence[str] | None) -> list[str]:
        """The words, or without any those of the program; doing it twice changes nothing more."""
        argv = sys.argv[1:] if given is None else given
        switches = {name for action in self._actions if action.nargs == 0 for name in action.option_strings}
        out: list[str] = []
        for index, word in enumerate(argv):
            if word == "--":
                return [*out, *argv[index:]]
            name, equals, value = word.partition("=")
            if equals and name in switches and value in {"true", "false"}:
                out += [name] if value == "true" else []
            else:
                out.append(word)
        return out


class Leaf(Parser):
    """The parser of a command: its words may stand anywhere among the flags."""

    _mixes = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401  as in argparse
        if self._mixes:  # a part of it, with the words or with the flags alone
            return super().parse_known_args(args, namespace)
        self._mixes = True
        try:  # not every Python comes back here from there, so that the switches are spelled out before
            return self.parse_known_intermixed_args(self._spelled_out(args), namespace)
        finally:
            self._mixes = False


def add_global_flags(parser: argparse.ArgumentParser, passed_on: list[str]) -> None:
    """Let *parser* take kubectl's global flags, and keep them in *passed_on* in the order in which they come."""

    class PassedOn(argparse.Action):
        def __call__(self, _parser: object, _namespace: object, values: object, _option: str | None = None) -> None:
            name = self.option_strings[-1]
            passed_on.append(f"{name}={values}" if self.nargs != 0 else name)

    group = parser.add_argument_group("flags of kubectl", "see `kubectl options`; the more usual ones:")
    for name in _WITH_VALUE:
        spelled = [f"--{name}"] if len(name) > 1 else [f"--{name}", f"-{name}"]
        shown = _SHOWN.get(name, argparse.SUPPRESS)
        short = [_SHORT[name]] if name in _SHORT else []
        group.add_argument(
            *short,
            *spelled,
            action=PassedOn,
            dest=argparse.SUPPRESS,
            help=shown,
            metavar=name.upper(),
            default=argparse.SUPPRESS,
        )
    for name in _SWITCHES:
        group.add_argument(f"--{name}", action=PassedOn, nargs=0, dest=argparse.SUPPRESS, help=argparse.SUPPRESS)
