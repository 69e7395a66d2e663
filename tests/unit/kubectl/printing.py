"""A command of a plug-in that prints, and fails."""

from __future__ import annotations

import argparse

from pcidevices.kubectl.transport import Kubectl


def add_flags(_parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(_flags: argparse.Namespace, _kubectl: Kubectl) -> int:
    print("x")  # noqa: T201  that is what it is for
    return 1
