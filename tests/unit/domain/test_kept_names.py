"""A resource name is chosen once: virtual machines in the field ask for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pcidevices.domain.inventory import name_to_keep, status_of
from pcidevices.domain.naming import PciNames
from tests.support.builders import NODE, a_gpu, a_nic, a_published

from .turns import settled


GPU = a_gpu()
OLD_NAME = "nvidia.com/GP106_GEFORCE_GTX_1060_3GB"
RENAMED = replace(GPU, names=PciNames("NVIDIA Corporation", "GP106 [Renamed]"))


def test_a_kept_name_survives_a_newer_database() -> None:
    """Only the name is kept: the description follows the database."""
    after = settled(RENAMED, a_published(GPU))

    assert after is not None
    assert after.status.resource_name == OLD_NAME
    assert after.status.description.endswith("GP106 [Renamed]")


def test_another_model_at_the_same_address_gets_its_own_name() -> None:
    after = settled(a_nic("0000:04:00.0"), a_published(GPU))

    assert after is not None
    assert after.status.resource_name == "intel.com/ETHERNET_CONNECTION_11_I219LM"


def test_a_second_card_takes_the_name_of_its_equals() -> None:
    """Equal cards share one pool, also when the database was renamed in between."""
    second = replace(RENAMED, address=a_gpu("0000:0a:00.0").address)

    assert name_to_keep(second, None, [a_published(a_nic()), a_published(GPU)]) == OLD_NAME


def test_the_own_name_comes_before_that_of_others() -> None:
    mine = a_published(GPU, resource_name="nvidia.com/MINE")
    other = a_published(a_gpu("0000:0a:00.0"), resource_name="nvidia.com/A")

    assert name_to_keep(GPU, mine, [mine, other]) == "nvidia.com/MINE"


def test_among_several_names_of_equals_the_order_does_not_matter() -> None:
    a, b = (a_published(a_gpu(f"0000:0{i}:00.0"), resource_name=f"nvidia.com/{i}") for i in (7, 8))

    assert name_to_keep(GPU, None, [a, b]) == name_to_keep(GPU, None, [b, a])


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(a_published(a_nic()), id="another model"),
        pytest.param(a_published(a_gpu(device="1c03")), id="the same vendor"),
        pytest.param(a_published(GPU, resource_name=""), id="no name yet"),
    ],
)
def test_nothing_is_kept_from_what_is_not_equal(other: object) -> None:
    assert name_to_keep(GPU, None, [other]) is None  # type: ignore[list-item]


def test_without_a_kept_name_the_database_names_the_device() -> None:
    assert status_of(GPU, NODE).resource_name == OLD_NAME
    assert status_of(GPU, NODE, kept_name="nvidia.com/KEPT").resource_name == "nvidia.com/KEPT"
