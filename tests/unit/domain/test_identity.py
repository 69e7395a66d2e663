"""Whether a device is the one that was claimed."""

from __future__ import annotations

import pytest

from msgspec.structs import replace

from pcidevices.domain.identity import identity_of, is_another
from tests.support.builders import a_gpu


CAPABILITYS, DRIVERS = "00-25-38-b1-11-50-a3-7e", "S4EUNJ0N123456"
CLAIMED = identity_of(a_gpu())


@pytest.mark.parametrize("change", [{"vendor_id": "8086"}, {"device_id": "1c03"}, {"subsystem": None}])
def test_another_model_is_another_device(change: dict[str, str | None]) -> None:
    assert is_another(replace(CLAIMED, **change), CLAIMED)


@pytest.mark.parametrize(
    ("seen", "claimed"),
    [(CAPABILITYS, "00-25-38-b1-11-50-a3-7f"), (DRIVERS, "S4EUNJ0N123457"), ("0025-38b1", DRIVERS)],
)
def test_another_serial_number_of_the_same_kind_is_another_device(seen: str, claimed: str) -> None:
    assert is_another(replace(CLAIMED, serial_number=seen), replace(CLAIMED, serial_number=claimed))


@pytest.mark.parametrize(
    ("seen", "claimed"),
    [
        (None, None),
        (None, DRIVERS),
        (DRIVERS, None),
        (DRIVERS, DRIVERS),
        (CAPABILITYS, DRIVERS),
        (DRIVERS, CAPABILITYS),
    ],
)
def test_a_serial_number_that_cannot_be_compared_makes_no_other_device(seen: str | None, claimed: str | None) -> None:
    """With a newer kernel PCI's own number stands where an NVMe driver's stood before."""
    assert not is_another(replace(CLAIMED, serial_number=seen), replace(CLAIMED, serial_number=claimed))
