"""Words and flags are taken in whatever order, and spelled as kubectl lets people spell them."""

from __future__ import annotations

import argparse

import pytest

from pcidevices.kubectl.cells import Line, order
from pcidevices.kubectl.commandline import run_group, run_one
from pcidevices.kubectl.flags import Leaf, add_global_flags
from tests.support.clusterobjects import a_gpu
from tests.unit.kubectl import echo


def parsed(*argv: str) -> tuple[argparse.Namespace, list[str]]:
    parser, passed_on = Leaf(prog="kubectl x", allow_abbrev=False), list[str]()
    parser.add_argument("word", nargs="*")
    parser.add_argument("--wait", action="store_true")
    add_global_flags(parser, passed_on)
    return parser.parse_args(argv), passed_on


@pytest.mark.parametrize("argv", [["--v=6"], ["-v", "6"], ["--v", "6"], ["-v6"], ["-v=6"]])
def test_how_much_kubectl_says_is_asked_for_in_every_spelling(argv: list[str]) -> None:
    assert parsed(*argv)[1] == ["-v=6"]


@pytest.mark.parametrize(
    "argv", [["a", "b", "--wait"], ["a", "--wait", "b"], ["--wait", "a", "b"], ["a", "--as=x", "b", "--wait=true"]]
)
def test_words_may_stand_anywhere_among_flags(argv: list[str]) -> None:
    flags, passed_on = parsed(*argv)

    assert (flags.word, flags.wait) == (["a", "b"], True)
    assert passed_on == [word for word in argv if word == "--as=x"]


def test_so_may_those_of_commands_and_of_their_sub_commands() -> None:
    """Each flag is passed on once."""
    echo.calls.clear()
    assert run_one("x", echo.__name__, ["a", "--node", "n", "b", "--v=6"]) == 0
    assert run_group("pci", {"echo": (echo.__name__, "")}, ["--as=x", "echo", "a", "--node", "n", "b", "-v=6"]) == 0

    assert [(flags.word, flags.node) for flags, _ in echo.calls] == [(["a", "b"], "n")] * 2
    assert [kubectl.flags for _, kubectl in echo.calls] == [("-v=6",), ("--as=x", "-v=6")]


def test_what_stands_behind_two_dashes_is_no_flag() -> None:
    assert parsed("a", "--", "--wait")[0].word == ["a", "--wait"]


def test_a_path_to_sort_by_may_begin_without_its_dot() -> None:
    spellings = ("metadata.name", ".metadata.name", "{.metadata.name}", "{metadata.name}", "name")

    assert len({order(spelling)(Line(a_gpu())) for spelling in spellings}) == 1
