"""The API server refuses exactly the addresses that the agent could not read."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from pcidevices.api.schema import structural
from pcidevices.api.v1beta1 import PCIDeviceClaimSpec
from pcidevices.domain.address import PciAddress


# In the API server's regular expressions (RE2) `$` is the end of the text; in Python's that is `\Z`.
PATTERN = re.compile(structural(PCIDeviceClaimSpec)["properties"]["address"]["pattern"].replace("$", r"\Z"))

_HEX = "0123456789abcdefABCDEF"
ALMOST = st.builds(
    lambda domain, bus, slot, function: f"{domain}{bus}:{slot}.{function}",
    st.just("") | st.text(_HEX, max_size=9).map(lambda digits: f"{digits}:"),
    st.text(_HEX, min_size=1, max_size=3),
    st.text(_HEX, min_size=2, max_size=2),
    st.sampled_from(("0", "7", "8", "", "00")),
)


def can_be_read(text: str) -> bool:
    try:
        PciAddress.parse(text)
    except ValueError:
        return False
    return True


@given(ALMOST | st.text(f"{_HEX}:.\n \u0660", max_size=16))
@example("0000:04:00.0")
@example("04:00.0")
@example("10000:e1:00.0")
@example("00001:04:00.0")
@example("0000:04:00.0\n")
@example("FFFFFFFF:FF:1F.7")
@example("100000000:04:00.0")
def test_the_pattern_takes_what_can_be_read_and_nothing_else(text: str) -> None:
    assert bool(PATTERN.search(text)) == can_be_read(text)
