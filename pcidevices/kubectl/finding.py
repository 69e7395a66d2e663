"""The devices that a command is about, from the fewest requests that can tell."""

from __future__ import annotations

import argparse
import re

from collections.abc import Sequence

import msgspec

from pcidevices.errors import ConfigError, KubectlFailed, NotFound

from .objects import DEVICES, Device, devices, read
from .selection import address_of, choose
from .transport import Kubectl


_LIKE_A_NAME = re.compile(r"[a-z0-9][-.a-z0-9]*-[0-9a-f]{9,13}")
_FEW = 3
_DECODER = msgspec.json.Decoder(Device)


def add_choice(parser: argparse.ArgumentParser, *, selector: bool = True) -> None:
    """The ways to name devices."""
    parser.add_argument(
        "device",
        nargs="*",
        metavar="DEVICE",
        help="a PCIDevice's name, an address, NODE ADDRESS, or any part of a name, resource name or description that "
        "only one device has",
    )
    parser.add_argument("--node", default="", help="only devices of this node")
    parser.add_argument("--address", default="", help="the device at this PCI address; 04:00.0 means 0000:04:00.0")
    if selector:
        parser.add_argument("-l", "--selector", default="", help="all devices with these labels")


def chosen(flags: argparse.Namespace, kubectl: Kubectl) -> list[Device]:
    """
    The devices that the flags name.

    Raises:
        ConfigError: they name none, or one word means several.
        NotFound: there is no such device.
    """
    words = [*flags.device, *([flags.address] if flags.address else [])]
    selector = getattr(flags, "selector", "")
    if not words and not selector:
        raise ConfigError("no device is named; `kubectl pci list` shows all of them")
    if flags.address and not address_of(flags.address):
        raise ConfigError(f"--address: {flags.address!r} is no PCI address (it looks like 0000:04:00.0)")
    if not flags.node and not selector and (found := _by_name(words, kubectl)):
        return found
    listed = list(devices(kubectl, node=flags.node, selector=selector))
    if words:
        return choose(listed, words)
    if not listed:
        raise NotFound(f"no PCIDevice has the labels {selector}{f' on {flags.node}' if flags.node else ''}")
    return listed


def _by_name(words: Sequence[str], kubectl: Kubectl) -> list[Device]:
    """Whole names need no list; anything else does, and then nothing is returned."""
    if len(words) > _FEW or not all(_LIKE_A_NAME.fullmatch(word) for word in words):
        return []
    try:
        found = [read(kubectl.raw(f"{DEVICES}/{word}"), _DECODER) for word in dict.fromkeys(words)]
    except KubectlFailed as error:
        if error.word not in {"NotFound", "Forbidden"}:
            raise
        return []
    return [device for device in found if device is not None]
