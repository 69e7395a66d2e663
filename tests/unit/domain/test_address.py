"""Addresses as sysfs writes them, as people write them, and in the names of objects."""

from __future__ import annotations

import re

import pytest

from hypothesis import example, given
from hypothesis import strategies as st

from pcidevices.domain.address import PciAddress

from .arbitrary import addresses, node_names


@given(addresses())
def test_an_address_reads_back_as_it_was_written(address: PciAddress) -> None:
    assert PciAddress.parse(str(address)) == address


@given(addresses())
def test_upper_case_means_the_same(address: PciAddress) -> None:
    assert PciAddress.parse(str(address).upper()) == address


@given(addresses(domains=st.just(0)))
def test_without_a_domain_it_is_the_first(address: PciAddress) -> None:
    assert PciAddress.parse(str(address).removeprefix("0000:")) == address


@given(addresses(), node_names())
@example(PciAddress.parse("10000:e1:00.0"), "janus")
@example(PciAddress.parse("0000:04:00.0"), "janus-000004000")
def test_an_object_name_leads_back_to_its_address(address: PciAddress, node_name: str) -> None:
    assert PciAddress.of_object_name(address.object_name(node_name), node_name) == address


@given(addresses(), node_names(), node_names())
def test_an_object_name_belongs_to_one_node(address: PciAddress, node_name: str, other: str) -> None:
    """With ``janus`` and ``janus-0`` side by side, no name is read as both nodes' device."""
    name = address.object_name(node_name)
    read = PciAddress.of_object_name(name, other)

    assert read is None or read.object_name(other) == name
    assert (read == address) == (other == node_name)


@given(st.text(), node_names())
@example("janus-00004000", "janus")
@example("janus-0000040000000", "janus")
@example("janus-000104000", "janus")
@example("janus-0000004000", "janus")
@example("janus-0000042a0", "janus")
@example("janus-00000400A", "janus")
def test_a_name_is_only_read_if_it_was_made_so(name: str, node_name: str) -> None:
    read = PciAddress.of_object_name(name, node_name)

    assert read is None or read.object_name(node_name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("0000:04:00.0", "janus-000004000"),
        ("0000:00:1f.6", "janus-0000001f6"),
        ("10000:e1:00.0", "janus-10000e1000"),
        ("7fffffff:ff:1f.7", "janus-7fffffffff1f7"),
    ],
)
def test_object_names_are_the_ancestors(text: str, name: str) -> None:
    assert PciAddress.parse(text).object_name("janus") == name


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("0000:04:00", id="no function"),
        pytest.param("0000:04:00.8", id="function 8"),
        pytest.param("0000:04:20.0", id="slot 32"),
        pytest.param("000:04:00.0", id="short domain"),
        pytest.param("00000:04:00.0", id="leading zero in a long domain"),
        pytest.param("100000000:04:00.0", id="domain over 32 bits"),
        pytest.param("0000:004:00.0", id="long bus"),
        pytest.param("0000:04:00.0\n", id="line end"),
        pytest.param(" 0000:04:00.0", id="blank before"),
        pytest.param("0000-04-00.0", id="other separators"),
        pytest.param("0000:\u0660\u0664:00.0", id="digits that are not ASCII's"),
        pytest.param("pci0000:00", id="a root bus"),
    ],
)
def test_what_is_no_address_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        PciAddress.parse(text)


@given(st.lists(addresses()))
def test_addresses_sort_as_numbers(several: list[PciAddress]) -> None:
    """Text would put domain 10000 before 2000."""
    assert sorted(several) == sorted(several, key=lambda a: (a.domain, a.bus, a.slot, a.function))
