"""Calls of the plug-ins in the pages are calls that they understand."""

from __future__ import annotations

import importlib
import shlex

import pytest

from pcidevices.kubectl import COMMANDS
from pcidevices.kubectl.flags import Parser, add_global_flags
from tests.docs.pages import Page, pages


_PLUGINS = {"claim": "pcidevices.kubectl.claim", "unclaim": "pcidevices.kubectl.unclaim"}


def calls(origin: Page) -> list[list[str]]:
    """The words behind kubectl, on lines with a prompt that call a plug-in."""
    typed = [line.removeprefix("$ ") for block in origin.blocks for line in block.text.splitlines()]
    words = [
        shlex.split(line) for line in typed if line.startswith(("kubectl claim", "kubectl unclaim", "kubectl pci "))
    ]
    return [call[1:] for call in words]


@pytest.mark.parametrize(
    ("origin", "call"),
    [pytest.param(origin, call, id=f"{origin}: {' '.join(call)}") for origin in pages() for call in calls(origin)],
)
def test_every_call_of_a_plug_in_is_understood(
    origin: Page, call: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    name, *rest = call
    module_name = _PLUGINS.get(name)
    if module_name is None:
        assert rest[0] in COMMANDS, f"{origin}: kubectl pci has no command {rest[0]}"
        module_name, rest = COMMANDS[rest[0]][0], rest[1:]
    parser = Parser(prog="kubectl", allow_abbrev=False)
    importlib.import_module(module_name).add_flags(parser)
    add_global_flags(parser, [])
    rest = rest[: next((index for index, word in enumerate(rest) if word in {"|", ">", "&&", ";"}), len(rest))]

    try:
        parser.parse_args(rest)
    except SystemExit as ended:
        if ended.code:  # --help ends well
            pytest.fail(f"{origin}: kubectl {' '.join(call)}: {capsys.readouterr().err}")


def test_the_pages_that_teach_the_plug_ins_call_each() -> None:
    taught = {tuple(call[:2]) if call[0] == "pci" else (call[0],) for origin in pages() for call in calls(origin)}

    assert taught >= {("claim",), ("unclaim",), *(("pci", name) for name in COMMANDS)}
