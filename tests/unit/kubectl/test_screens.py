"""Tables, trees and marks fit whatever terminal there is."""

from __future__ import annotations

import io

from collections.abc import Sequence

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pcidevices.domain.printable import plain
from pcidevices.errors import ConfigError
from pcidevices.kubectl.branches import Branch, drawn
from pcidevices.kubectl.cells import NARROW, WIDE, Line, matches, order, table
from pcidevices.kubectl.objects import Claim, Device, owners
from pcidevices.kubectl.output import print_table
from pcidevices.kubectl.screen import Screen
from pcidevices.kubectl.tree import tree
from tests.support.clusterobjects import GPU, NIC, READY, SOUND, TWIN, a_claim, a_device, a_gpu, a_sound, condition


def a_terminal(encoding: str = "utf-8") -> io.TextIOWrapper:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    return Terminal(io.BytesIO(), encoding=encoding)


def test_colour_is_for_terminals_without_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    assert Screen.of(a_terminal()).colour
    assert not Screen.of(io.TextIOWrapper(io.BytesIO())).colour
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Screen.of(a_terminal()).colour
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not Screen.of(a_terminal()).colour


def test_marks_are_ascii_where_the_locale_has_no_others() -> None:
    screen = Screen.of(io.TextIOWrapper(io.BytesIO(), encoding="ascii"))

    assert [screen.mark(holds=holds) for holds in (True, False, None)] == ["+", "x", "~"]


def test_a_line_ends_where_the_terminal_does_and_colours_count_for_nothing() -> None:
    screen = Screen(unicode=True, colour=True, width=6)
    line = f"{screen.mark(holds=True)} abcdefgh"

    assert screen.cut(line).replace("\x1b[32m", "").replace("\x1b[0m", "") == "✔ abc…"
    assert screen.cut("short") == "short"
    assert Screen().cut("x" * 500) == "x" * 500


@given(st.text())
def test_text_of_others_is_shown_without_what_moves_the_cursor(text: str) -> None:
    assert plain(text).isprintable()


def test_a_tree_is_drawn_with_the_lines_that_the_terminal_has() -> None:
    root = Branch("a", (Branch("b", (Branch("c"),)), Branch("d")))

    assert list(drawn(root, unicode=True)) == ["a", "├─ b", "│  └─ c", "└─ d"]
    assert list(drawn(root, unicode=False)) == ["a", "|- b", "|  `- c", "`- d"]


def leaves(*devices: Device, taken: Sequence[Claim] = ()) -> list[str]:
    drawing = drawn(tree("janus", devices, owners(taken), Screen()), unicode=False)
    return [line.lstrip("|`- ") for line in drawing]


def test_a_node_is_shown_by_numa_node_and_group() -> None:
    lines = leaves(a_device(NIC, numa_node=None), a_gpu(numa_node=1), a_sound(numa_node=1))

    assert [line for line in lines if "0000" not in line] == [
        "janus",
        "NUMA node 1",
        "IOMMU group 15 (2 go together)",
        "no NUMA node",
        "IOMMU group 12",
    ]


def test_a_claimed_group_says_whether_it_is_viable_and_why_not() -> None:
    claim = a_claim(GPU, "janus", READY)
    on_vfio = {"kernel_driver_in_use": "vfio-pci"}

    assert "IOMMU group 15 + viable" in leaves(a_gpu(**on_vfio), a_sound(**on_vfio), taken=[claim])
    assert f"IOMMU group 15 x not viable: {SOUND} is on snd_hda_intel" in leaves(
        a_gpu(**on_vfio), a_sound(), taken=[claim]
    )
    assert f"IOMMU group 15 x not viable: {GPU} is on nouveau; {SOUND} is on snd_hda_intel" in leaves(
        a_gpu(), a_sound(), taken=[claim]
    )


def test_a_table_has_a_dash_for_what_is_not_known() -> None:
    claim = a_claim(NIC, "janus", condition("Ready", "Binding"))
    head, row = table([Line(a_device(NIC, numa_node=None), claim)], NARROW, headers=True)

    cells = dict(zip(head, row, strict=True))
    assert (cells["NUMA"], cells["IN USE BY"]) == ("-", "-")
    assert cells["CLAIM"] == "Binding (alice)"
    assert (cells["CLASS"], cells["MODEL"].partition(" ")[0]) == ("Ethernet controller", "Intel")


def test_every_word_must_stand_somewhere_in_the_line() -> None:
    line = Line(a_gpu(), a_claim(GPU, user="alice"))

    assert matches(line, [])
    assert matches(line, ["NVIDIA", "alice", "nouveau"])
    assert not matches(line, ["nvidia", "bob"])


def test_numbers_are_sorted_as_numbers_and_long_domains_come_last() -> None:
    lines = [
        Line(a_device("10000:01:00.0", iommu_group="2")),
        Line(a_device(TWIN, iommu_group="100")),
        Line(a_device(NIC, iommu_group="30")),
    ]

    assert [one.device.status.iommu_group for one in sorted(lines, key=order("group"))] == ["2", "30", "100"]
    assert [one.device.status.address for one in sorted(lines, key=order(""))] == [NIC, TWIN, "10000:01:00.0"]
    assert sorted(lines, key=order("{.status.iommuGroup}")) == sorted(lines, key=order("group"))
    with pytest.raises(ConfigError, match="in-use-by"):
        order("colour")


def test_columns_stand_below_each_other_and_end_with_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([["A", "LONG"], ["xyz", "1"]], width=9)

    assert capsys.readouterr().out == "A     LON\nxyz   1\n"


def test_wide_output_only_adds_columns() -> None:
    assert list(WIDE)[: len(NARROW)] == list(NARROW)
