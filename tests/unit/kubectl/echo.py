"""A command that keeps what it was called with."""

from __future__ import annotations

import argparse

from pcidevices.kubectl.transport import Kubectl


calls: list[tuple[argparse.Namespace, Kubectl]] = []


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("word", nargs="*")
    parser.add_argument("--node")


def run(flags: argparse.Namespace, kubectl: Kubectl) -> int:
    calls.append((flags, kubectl))
    return 0
