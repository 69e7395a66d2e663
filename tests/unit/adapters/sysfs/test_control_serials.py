"""A device that does not tell its serial number is looked at, and given back, all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pcidevices.api.v1beta1 import GIVE_BACK_FINALIZER, PCIDeviceClaimStatus
from pcidevices.domain.claims import decide
from pcidevices.domain.device import PciDevice
from pcidevices.domain.identity import identity_of
from pcidevices.domain.sight import Sight
from tests.support.builders import a_claim
from tests.support.sysfs_tree import SysfsTree
from tests.unit.adapters.sysfs.scene import A, B, Scene


SERIAL, OTHER = "00-1b-21-ff-ff-6a-2b-3c", "00-1b-21-ff-ff-6a-2b-3d"
NOW = "2026-03-04T05:06:07Z"


@pytest.fixture
def scene(tree: SysfsTree) -> Scene:
    scene = Scene(tree)
    (tree.bus / str(A) / "serial_number").write_text(f"{SERIAL}\n")
    return scene


def of(sight: Sight) -> PciDevice:
    assert isinstance(sight.device, PciDevice)
    return sight.device


def ending(sight: Sight, *, claimed_serial: str) -> str | None:
    """How the deleted claim of the device ends that was on its host driver before; None when it waits."""
    status = PCIDeviceClaimStatus(
        claimed=identity_of(replace(of(sight), serial=claimed_serial)), kernel_driver_to_unbind="e1000e"
    )
    claim = a_claim(of(sight), status=status, finalizers=(GIVE_BACK_FINALIZER,), deleting=True)
    release = decide(claim, sight, now=NOW).release
    return release and release.reason


async def test_a_serial_number_that_does_not_come_is_not_known_and_the_device_not_silent(scene: Scene) -> None:
    scene.serials.hang_for = {A}
    async with scene.control() as control:
        sights = [await control.look(A) for _ in range(2)]
        asked = list(scene.serials.asked)
        scene.serials.let_go()
        await scene.has_returned.wait()
        after = await control.look(A)

    assert [(of(sight).serial, of(sight).driver, sight.is_silent) for sight in sights] == [(None, "e1000e", False)] * 2
    assert asked == [str(A)]  # what hangs is not asked again
    assert (of(after).serial, after.is_silent, scene.returned) == (SERIAL, False, [A])


async def test_a_serial_number_that_cannot_be_read_is_not_that_there_is_none(scene: Scene, tree: SysfsTree) -> None:
    """Here it is a folder; a dying card answers with an error as well."""
    attribute = tree.bus / str(A) / "serial_number"
    attribute.unlink()
    async with scene.control() as control:
        without = await control.look(A)
        attribute.mkdir()
        unreadable = await control.look(A)

    assert [(of(sight).serial, sight.serial_is_unanswered) for sight in (without, unreadable)] == [
        (None, False),
        (None, True),
    ]


async def test_a_deleted_claim_ends_although_the_serial_number_never_comes(scene: Scene) -> None:
    """It was known at claim time; that it is not known now makes no other device of it."""
    scene.serials.hang_for = {A}
    async with scene.control() as control:
        unknown = await control.look(A)
        scene.serials.let_go()
        await scene.has_returned.wait()
        known = await control.look(A)

    assert ending(unknown, claimed_serial=SERIAL) == "GivenBack"
    assert ending(known, claimed_serial=SERIAL) == "GivenBack"
    assert ending(known, claimed_serial=OTHER) == "DeviceChanged"


async def test_a_deleted_claim_waits_for_the_override_whatever_the_serial_number(scene: Scene) -> None:
    scene.kernel.hangs_for = {A}
    scene.serials.hang_for = {A}
    async with scene.control() as control:
        neither = await control.look(A)
        scene.kernel.goes_on.set()
        await scene.has_returned.wait()
        override_alone = await control.look(A)
        scene.serials.let_go()

    assert (neither.is_silent, ending(neither, claimed_serial=SERIAL)) == (True, None)
    assert (override_alone.is_silent, ending(override_alone, claimed_serial=SERIAL)) == (False, "GivenBack")


async def test_an_override_that_does_not_come_hides_no_serial_number(scene: Scene) -> None:
    """So that another card at the address is known as such."""
    scene.kernel.hangs_for = {A}
    async with scene.control() as control:
        sight = await control.look(A)

    assert (of(sight).serial, sight.is_silent) == (SERIAL, True)
    assert ending(sight, claimed_serial=OTHER) == "DeviceChanged"


async def test_a_serial_number_that_does_not_come_is_nothing_to_other_devices(scene: Scene) -> None:
    scene.serials.hang_for = {B}
    async with scene.control() as control:
        hung = await control.look(B)
        other = await control.look(A)
        scene.serials.let_go()

    assert (of(hung).serial, of(other).serial) == (None, SERIAL)
