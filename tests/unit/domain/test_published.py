"""Labels and versions of what the API server has."""

from __future__ import annotations

import re

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pcidevices.domain.published import labels_of, node_label
from tests.support.builders import NODE, a_gpu, a_published


LONG_NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9]\.)?[-a-z0-9]{1,230}[a-z0-9]", fullmatch=True)
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True))
def test_a_node_name_that_fits_is_its_label(name: str) -> None:
    assert node_label(name) == name


@given(LONG_NAMES)
def test_every_node_has_a_valid_label(name: str) -> None:
    assert _LABEL_VALUE.fullmatch(node_label(name))


@pytest.mark.parametrize("width", [53, 54, 55, 62, 63, 64, 200])
@pytest.mark.parametrize("end", [".x", "-x", "xx"])
def test_wherever_a_long_name_is_cut_the_label_is_valid(width: int, end: str) -> None:
    assert _LABEL_VALUE.fullmatch(node_label("n" * width + end + "y" * 20))


def test_long_names_that_begin_alike_have_labels_of_their_own() -> None:
    names = [f"{'n' * 80}{i}" for i in range(100)]

    assert len(set(map(node_label, names))) == len(names)


def test_a_label_of_a_long_name_never_changes() -> None:
    """Objects in the field bear it; another would hide them from their agent."""
    assert node_label("n" * 64) == "n" * 54 + "-ce068a19"


def test_a_simulated_device_has_one_label_more() -> None:
    real, simulated = (labels_of(a_gpu(), NODE, simulated=simulated) for simulated in (False, True))

    assert simulated == real | {"devices.harvesterhci.io/simulated": "true"}


@pytest.mark.parametrize(("text", "number"), [("7", 7), ("10", 10), ("", 0), ("opaque", 0)])
def test_versions_compare_as_numbers(text: str, number: int) -> None:
    assert a_published(resource_version=text).version == number
