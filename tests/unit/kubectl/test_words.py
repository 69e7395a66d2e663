"""Words and flags are taken in whatever order, and spelled as kubectl lets people spell them."""

from __future__ import annotations

import argparse
import sys

from typing import Any

import pytest

from pcidevices.kubectl.cells import Line, order
from pcidevices.kubectl.commandline import run_group, run_one
from pcidevices.kubectl.flags import Leaf, Parser, add_global_flags
from tests.support.clusterobjects import a_gpu
from tests.unit.kubectl import echo


def parsed(*argv: str) -> tuple[argparse.Namespace, list[str]]:
    parser, passed_on = Leaf(prog="kubectl x", allow_abbrev=False), list[str]()
    parser.add_argument("word", nargs="*")
    parser.add_argument("--wait", action="store_true")
    add_global_flags(parser, passed_on)
    return parser.parse_args(argv), passed_on


class Straight(Leaf):
    """As from Python 3.12.8 and 3.13.1 on: to mix words and flags it does not come back for each of the two."""

    def parse_known_intermixed_args(self, args: Any = None, namespace: Any = None) -> Any:
        return argparse.ArgumentParser.parse_known_args(self, args, namespace)


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


@pytest.mark.parametrize("kind", [Leaf, Straight])
@pytest.mark.parametrize(("word", "wait"), [("--wait=true", True), ("--wait=false", False), ("--wait", True)])
def test_a_command_takes_a_switch_that_is_spelled_out(kind: type[Leaf], word: str, wait: bool) -> None:  # noqa: FBT001
    """However the Python at hand mixes words and flags."""
    parser = kind(prog="kubectl x", allow_abbrev=False)
    parser.add_argument("word", nargs="*")
    parser.add_argument("--wait", action="store_true")

    assert vars(parser.parse_args(["a", word])) == {"word": ["a"], "wait": wait}


@pytest.mark.parametrize("kind", [Parser, Leaf])
def test_who_gives_no_words_means_those_of_the_program(kind: type[Parser], monkeypatch: pytest.MonkeyPatch) -> None:
    parser = kind(prog="kubectl x", allow_abbrev=False)
    parser.add_argument("--wait", action="store_true")
    monkeypatch.setattr(sys, "argv", ["x", "--wait=true"])

    assert parser.parse_args().wait is True


def test_so_may_those_of_commands_and_of_their_sub_commands() -> None:
    """Each flag is passed on once."""
    echo.calls.clear()
    assert run_one("x", echo.__name__, ["a", "--node", "n", "b", "--v=6"]) == 0
    assert run_group("pci", {"echo": (echo.__name__, "")}, ["--as=x", "echo", "a", "--node", "n", "b", "-v=6"]) == 0

    assert [(flags.word, flags.node) for flags, _ in echo.calls] == [(["a", "b"], "n")] * 2
    assert [kubectl.flags for _, kubectl in echo.calls] == [("-v=6",), ("--as=x", "-v=6")]


def test_what_stands_behind_two_dashes_is_no_flag() -> None:
    assert parsed("a", "--", "--wait")[0].word == ["a", "--wait"]
    assert parsed("a", "--", "--wait=true")[0].word == ["a", "--wait=true"]


def test_a_path_to_sort_by_may_begin_without_its_dot() -> None:
    spellings = ("metadata.name", ".metadata.name", "{.metadata.name}", "{metadata.name}", "name")

    assert len({order(spelling)(Line(a_gpu())) for spelling in spellings}) == 1
