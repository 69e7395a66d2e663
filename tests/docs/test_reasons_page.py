"""docs/reference/reasons.md says every reason there is, with an anchor to which other programs lead."""

from __future__ import annotations

import re

from pcidevices import errors
from pcidevices.api.reasons import Reason
from pcidevices.domain.diagnosis import remedies
from tests.docs.pages import page, slug_of


PAGE = page("docs/reference/reasons.md")
CAN_MEET_A_CLAIM = {
    errors.DeviceNotFound,
    errors.DeviceUnreadable,
    errors.DriverMissing,
    errors.HostExhausted,
    errors.SysfsWriteFailed,
    errors.DeviceNotTaken,
    errors.WriteTimedOut,
}
CAN_MEET_A_DIAGNOSIS = {
    errors.KubeletAway,
    errors.RegistrationRefused,
    errors.SocketUnusable,
    errors.Forbidden,
    errors.Unauthorized,
    errors.Unavailable,
    errors.NotFound,
}
TOLD = re.findall(r"^### (.+)$", PAGE.text, re.MULTILINE)


def test_every_reason_is_told_and_no_other() -> None:
    every = [*Reason, *(error.reason for error in CAN_MEET_A_CLAIM | CAN_MEET_A_DIAGNOSIS)]

    assert sorted(TOLD) == sorted(every)


def test_every_reason_has_the_anchor_that_a_diagnosis_names() -> None:
    assert [reason for reason in TOLD if slug_of(reason) != reason.lower()] == []


def test_every_reason_for_which_something_is_to_be_done_says_what() -> None:
    speechless = [reason for reason in TOLD if "**What to do:**" not in PAGE.section(f"### {reason}")]

    assert set(speechless) & set(remedies._REMEDIES) == set()


def test_every_remedy_is_for_a_reason_that_is_told() -> None:
    assert {str(reason) for reason in remedies._REMEDIES} - set(TOLD) == set()


def test_every_hardware_error_of_a_single_device_can_meet_a_claim() -> None:
    found = {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.HardwareError)
    }

    assert found - {errors.HardwareError, errors.SysfsUnreadable} == CAN_MEET_A_CLAIM
