"""The names are the ancestor's, wherever those can be used at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hypothesis import example, given
from hypothesis import strategies as st

from pcidevices.domain.naming import resource_name

from . import go_names


PCI_IDS = Path("/usr/share/misc/pci.ids")
_WORD = st.sampled_from(
    ("[", "]", "/", " ", ".", "_", "-", "  ", "\t", "\u00a0", "\v", "\x1c", "\u00df", "\u0131", "\u017f", "\ufb01")
)
_WORDS = _WORD | st.sampled_from(("Acme", "AMD", "Virtual Function", "VIRTUAL_FUNCTIONS", "GP106", "x" * 20, "unknown"))
NAMES = st.lists(_WORDS, max_size=8).map("".join) | st.text(max_size=30)


@given(NAMES, NAMES)
@example("Acme", "x" * 52)
@example("Acme", "Virtual Function" * 4)
@example("Acme", "_" + "x" * 52)
@example("a[b]c", "unknown")
def test_wherever_the_ancestor_gives_a_valid_name_ours_is_the_same(vendor: str, product: str) -> None:
    try:
        theirs = go_names.resource_name(vendor, product, "5678")
    except go_names.Panic:
        return
    if not go_names.kubelet_takes(theirs) or not go_names.socket_fits(theirs):
        return

    assert resource_name(vendor, product, "5678") == theirs


@pytest.mark.skipif(not PCI_IDS.is_file(), reason="no PCI ID database on this machine")
def test_all_names_of_the_published_database_are_the_ancestors() -> None:
    different = {
        (vendor, product): (ours, theirs)
        for vendor, product, device_id in _models()
        if (ours := resource_name(vendor, product, device_id))
        != (theirs := go_names.resource_name(vendor, product or go_names.UNKNOWN, device_id))
    }

    assert different == {}


def _models() -> Iterator[tuple[str, str | None, str]]:
    """Every vendor with an unknown device, and every device."""
    vendor = ""
    for line in PCI_IDS.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("C "):
            return  # classes end the devices
        if not line or line.startswith(("#", "\t\t")):
            continue
        if line.startswith("\t"):
            yield vendor, line[7:], line[1:5]
        else:
            vendor = line[6:]
            yield vendor, None, "5678"
