"""What a device is called in a table."""

from __future__ import annotations

import pytest

from pcidevices.domain.naming import UNNAMED, PciNames, description


NAMES = PciNames(
    vendor="NVIDIA Corporation",
    device="GP106 [GeForce GTX 1060 3GB]",
    class_name="Display controller",
    subclass_name="VGA compatible controller",
)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(
            NAMES, "VGA compatible controller: NVIDIA Corporation GP106 [GeForce GTX 1060 3GB]", id="all known"
        ),
        pytest.param(
            NAMES._replace(subclass_name=None),
            "Display controller: NVIDIA Corporation GP106 [GeForce GTX 1060 3GB]",
            id="the class stands in for the subclass",
        ),
        pytest.param(
            NAMES._replace(subclass_name=None, class_name=None),
            "Class 0300: NVIDIA Corporation GP106 [GeForce GTX 1060 3GB]",
            id="the id stands in for both",
        ),
        pytest.param(
            NAMES._replace(device=None),
            "VGA compatible controller: NVIDIA Corporation Device 1c02",
            id="a device too new for the database",
        ),
        pytest.param(UNNAMED, "Class 0300: Vendor 10de Device 1c02", id="nothing known"),
        pytest.param(
            PciNames("unknown", "unknown", "unknown", "unknown"),
            "Class 0300: Vendor 10de Device 1c02",
            id="named unknown is not known",
        ),
        pytest.param(
            NAMES._replace(vendor="Silicon  Motion ", device=" SM750 "),
            "VGA compatible controller: Silicon  Motion   SM750 ",
            id="spaces as the database has them",
        ),
    ],
)
def test_a_description_names_what_is_known_and_gives_ids_for_the_rest(names: PciNames, expected: str) -> None:
    assert description(names, vendor_id="10de", device_id="1c02", class_id="0300") == expected
