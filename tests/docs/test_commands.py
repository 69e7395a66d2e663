"""Commands in the pages are commands that exist."""

from __future__ import annotations

import re
import shlex

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from pcidevices.cli import _parser
from pcidevices.settings import resolve
from tests.docs.pages import ROOT, Page, page, pages


_PROGRAM = re.compile(r"(?:.*/)?pcidevices")
_DEMO = re.compile(r"(?:.*/)?hack/demo")
_SCRIPT = re.compile(r"(?:\./)?(hack/[a-z]+)(?![\w/.])")
_VARIABLE = re.compile(r"[A-Z_]+=\S*")
_SEPARATORS = {"|", "||", "&&", ";", "&"}


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of each call of the program in a code block: on lines with a prompt, if there are any."""
    lines = text.replace("\\\n", " ").splitlines()
    typed = [line.strip().removeprefix("$ ") for line in lines if line.strip().startswith("$ ")]
    for line in typed or [line.strip() for line in lines]:
        yield from _calls(line)


def _calls(line: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:  # half a quotation: an answer, or a text of many lines
        return
    call: list[str] = []
    for word in [*words, ";"]:
        if word not in _SEPARATORS:
            call.append(word)
            continue
        while call and _VARIABLE.fullmatch(call[0]):
            del call[0]
        if call and _PROGRAM.fullmatch(call[0]):
            yield call[1:]
        elif call and _DEMO.fullmatch(call[0]):
            yield ["demo", *call[1:]]
        call = []


def _arguments(node: Any) -> Iterator[list[str]]:
    """What containers are started with, anywhere in a manifest."""
    if isinstance(node, dict):
        if node.get("command") == ["pcidevices"]:
            yield [str(word) for word in node["args"]]
        for part in node.values():
            yield from _arguments(part)
    elif isinstance(node, list):
        for part in node:
            yield from _arguments(part)


def _calls_of(origin: Page) -> list[list[str]]:
    found: list[list[str]] = []
    for block in origin.blocks:
        if block.language == "yaml":
            found += [call for document in yaml.safe_load_all(block.text) for call in _arguments(document)]
        elif block.language in {"console", "sh", "bash"}:
            found += commands(block.text)
    return found


@pytest.mark.parametrize(
    ("origin", "call"),
    [pytest.param(origin, call, id=f"{origin}: {' '.join(call)}") for origin in pages() for call in _calls_of(origin)],
)
def test_every_command_line_is_understood(origin: Page, call: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        flags = _parser().parse_args(call)
    except SystemExit:
        pytest.fail(f"{origin}: pcidevices {' '.join(call)}: {capsys.readouterr().err}")
    if flags.command != "version" and "soon" not in call:  # the example of a value that cannot be used
        flags.pci_ids = None  # the reader's own file
        resolve(flags.command, flags, {})


def test_the_pages_that_teach_the_program_call_it() -> None:
    """Or the search has become blind."""
    names = [
        "README.md",
        "docs/tutorial/demo.md",
        "docs/how-to/list-devices.md",
        "docs/how-to/run-against-a-cluster.md",
    ]

    assert [name for name in names if not _calls_of(page(name))] == []


@pytest.mark.parametrize("origin", pages(), ids=str)
def test_every_script_of_hack_that_a_page_names_is_there(origin: Page) -> None:
    named = set(_SCRIPT.findall(origin.text))

    assert {name for name in named if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$ pcidevices crds | kubectl apply -f -\n", [["crds"]]),
        ("$ PCIDEVICES_RESYNC=1s .venv/bin/pcidevices agent --simulate\n", [["agent", "--simulate"]]),
        ("$ ./hack/demo --check\n", [["demo", "--check"]]),
        ("$ kubectl get pcidevices\npcidevices: an answer\n", []),
        ("pcidevices list \\\n  -o wide\n", [["list", "-o", "wide"]]),
    ],
)
def test_a_call_is_found_wherever_it_stands(text: str, found: list[list[str]]) -> None:
    assert list(commands(text)) == found
