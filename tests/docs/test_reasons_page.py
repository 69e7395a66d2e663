"""docs/reference/reasons.md says every reason there is."""

from __future__ import annotations

from pcidevices import errors
from pcidevices.api.reasons import Reason
from tests.docs.pages import code, page, rows


PAGE = page("docs/reference/reasons.md")
CAN_MEET_A_CLAIM = {
    errors.DeviceNotFound,
    errors.DeviceUnreadable,
    errors.DriverMissing,
    errors.SysfsWriteFailed,
    errors.DeviceNotTaken,
    errors.WriteTimedOut,
}


def test_every_reason_is_told_and_no_other() -> None:
    told = [code(row[0])[0] for row in rows(PAGE.text)]

    assert sorted(told) == sorted([*Reason, *(error.reason for error in CAN_MEET_A_CLAIM)])


def test_every_hardware_error_of_a_single_device_can_meet_a_claim() -> None:
    found = {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.HardwareError)
    }

    assert found - {errors.HardwareError, errors.SysfsUnreadable} == CAN_MEET_A_CLAIM
