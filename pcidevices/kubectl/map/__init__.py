"""
Draw nodes, NUMA nodes, IOMMU groups and devices on one page, coloured by state: unclaimed, claimed and Ready or
not, in use, needed by the host, gone.

  kubectl pci map --output-file map.html
  kubectl pci map -o svg --node janus > janus.svg

The page needs no network and no server; open it in a browser. The SVG is the same picture, without anything to click.
"""

from __future__ import annotations

import argparse
import sys

from datetime import UTC, datetime
from pathlib import Path

from pcidevices.errors import ConfigError
from pcidevices.kubectl.objects import claims, devices
from pcidevices.kubectl.transport import Kubectl

from .drawing import as_svg
from .model import picture
from .page import as_html


_FORMS = {"html": as_html, "svg": as_svg}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `kubectl pci map`."""
    parser.add_argument("-o", "--output", choices=tuple(_FORMS), default="html", help="a page or a picture (html)")
    parser.add_argument("--output-file", type=Path, metavar="FILE", help="where to write it (standard output)")
    parser.add_argument("--node", default="", help="only this node")
    parser.add_argument("-l", "--selector", default="", help="only devices with these labels")


def run(flags: argparse.Namespace, kubectl: Kubectl) -> int:
    """Look once, draw, write."""
    asked = [f"{flag} {value}" for flag, value in (("--node", flags.node), ("-l", flags.selector)) if value]
    drawn = picture(
        devices(kubectl, node=flags.node, selector=flags.selector),
        claims(kubectl),
        taken=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        selection=" ".join(asked),
    )
    written = _FORMS[flags.output](drawn).encode("utf-8", errors="replace")
    if flags.output_file is None:
        sys.stdout.buffer.write(written)
        return 0
    try:
        flags.output_file.write_bytes(written)
    except OSError as error:
        raise ConfigError(f"{flags.output_file} cannot be written: {error.strerror}") from error
    return 0
