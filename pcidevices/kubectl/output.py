"""``-o json``, ``-o yaml``, ``-o name``: the objects themselves."""

from __future__ import annotations

import argparse
import sys
import textwrap

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec


_INDENT = 4
_RUN = {"none": "", "client": " (dry run)", "server": " (server dry run)"}


def add_output(parser: argparse.ArgumentParser, *forms: str) -> None:
    """``-o``, with these forms."""
    parser.add_argument("-o", "--output", choices=forms, default="", metavar="|".join(forms), help="how to print it")


def print_objects(objects: Iterable[msgspec.Raw | bytes], form: str, *, bare: bool = False) -> None:
    """The objects as the server sent them, one after the other, in a List, or *bare*."""
    parts = map(_without_bookkeeping, objects)
    if bare:
        print(*((_pretty(part) if form == "json" else as_yaml(part).rstrip("\n")) for part in parts), sep="\n---\n")
    elif form == "json":
        _print_json(parts)
    else:
        print("apiVersion: v1")
        head = "items:\n"
        for part in parts:
            print(f"{head}{as_yaml([part])}", end="")
            head = ""
        if head:
            print("items: []")
        print('kind: List\nmetadata:\n  resourceVersion: ""')


def _print_json(parts: Iterable[object]) -> None:
    print('{\n    "apiVersion": "v1",\n    "items": [', end="")
    comma = ""
    for part in parts:
        print(comma, textwrap.indent(_pretty(part), " " * 2 * _INDENT), sep="\n", end="")
        comma = ","
    print('\n    ],\n    "kind": "List",\n    "metadata": {\n        "resourceVersion": ""\n    }\n}')


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=_INDENT).decode()


def _without_bookkeeping(raw: msgspec.Raw | bytes) -> dict[str, Any]:
    """Without what says which field was set by whom; kubectl does not show it either."""
    whole: dict[str, Any] = msgspec.json.decode(raw)
    whole.get("metadata", {}).pop("managedFields", None)
    return whole


def as_yaml(value: object) -> str:
    """As kubectl writes it: block style, keys in their order."""
    from pcidevices import yamltext  # noqa: PLC0415  slow to import, and seldom needed

    return yamltext.as_yaml(value)


def print_done(resource: str, name: str, *, what: str, form: str, dry_run: str) -> None:
    """``pcideviceclaim.devices.harvesterhci.io/x created``, or the name alone."""
    print(f"{resource}/{name}" if form == "name" else f"{resource}/{name} {what}{_RUN[dry_run]}", flush=True)


def print_deleted(resource: str, name: str, *, form: str, dry_run: str) -> None:
    """``pcideviceclaim.devices.harvesterhci.io "x" deleted``, or the name alone."""
    print(f"{resource}/{name}" if form == "name" else f'{resource} "{name}" deleted{_RUN[dry_run]}', flush=True)


def print_table(rows: Sequence[Sequence[str]], *, width: int | None = None) -> None:
    """Columns side by side, as kubectl sets them; lines end where the terminal does."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    form = "   ".join(f"%-{one}s" for one in widths)
    lines = (form % tuple(row) for row in rows)
    sys.stdout.write("".join(f"{(line if width is None else line[:width]).rstrip()}\n" for line in lines))
