"""What becomes of KubeVirt's list, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pcidevices.api.reasons import Reason
from pcidevices.api.v1beta1 import ClaimedDevice, Condition, PCIDeviceClaimStatus
from pcidevices.domain.permitted import (
    Leave,
    Listed,
    Ours,
    Permission,
    Write,
    decide,
    is_wanted,
    needed_on,
)
from tests.support.builders import NODE, a_claim, a_gpu, a_published


GPU = Permission("10de:1c02", "nvidia.com/GP106")
NIC = Permission("8086:15f9", "intel.com/I219")
SAME_CARD_OLD_NAME = Permission(GPU.selector, "nvidia.com/GP106_OLD")
SAME_NAME_OTHER_CARD = Permission("10de:1c03", GPU.resource_name)
THEIRS = {"pciVendorSelector": "1234:5678", "resourceName": "a.com/b", "unknown": {"deep": [1]}}
PLUGGED_BY_KUBEVIRT = {"pciVendorSelector": "10DE:1C02", "resourceName": "nvidia.com/GTX"}


def listing(*entries: Any, **others: Any) -> Listed:
    return {"pciHostDevices": list(entries)} | others


def ours(*permissions: Permission, began: bool = False) -> Ours:
    return Ours(frozenset(permissions), began)


def written(listed: Listed, mine: Ours, here: set[Permission], elsewhere: set[Permission] | None = None) -> Write:
    decision = decide(listed, mine, here, elsewhere or set())
    assert isinstance(decision, Write)
    return decision


def finding(listed: Listed, needed: Permission, mine: Ours | None = None) -> tuple[str, str]:
    found = decide(listed, mine or Ours(), {needed}, set()).findings[needed.resource_name]
    return found.status, found.reason


def test_what_is_missing_is_added_at_the_end() -> None:
    write = written(listing(THEIRS), Ours(), {GPU})

    assert write.entries == (THEIRS, GPU.entry)
    assert write.ours == ours(GPU)
    assert write.added == (GPU,)


def test_an_entry_says_that_kubevirt_does_not_advertise_it() -> None:
    assert GPU.entry == {
        "pciVendorSelector": "10de:1c02",
        "resourceName": "nvidia.com/GP106",
        "externalResourceProvider": True,
    }


def test_what_is_listed_is_left_alone() -> None:
    assert isinstance(decide(listing(GPU.entry), ours(GPU), {GPU}, set()), Leave)


def test_an_entry_that_was_there_before_is_never_ours() -> None:
    assert isinstance(decide(listing(GPU.entry), Ours(), {GPU}, set()), Leave)
    assert isinstance(decide(listing(GPU.entry), Ours(), set(), set()), Leave)


def test_selectors_are_compared_without_regard_to_case() -> None:
    """As KubeVirt does."""
    entry = GPU.entry | {"pciVendorSelector": "10DE:1C02"}

    assert isinstance(decide(listing(entry), Ours(), {GPU}, set()), Leave)


def test_what_others_need_is_left_to_their_agents() -> None:
    assert isinstance(decide(listing(), Ours(), set(), {GPU}), Leave)


def test_what_we_added_goes_when_nobody_needs_it() -> None:
    write = written(listing(THEIRS, GPU.entry, NIC.entry), ours(GPU, NIC), {NIC})

    assert write.entries == (THEIRS, NIC.entry)
    assert write.ours == ours(NIC)
    assert write.removed == (GPU,)


def test_what_somebody_needs_stays() -> None:
    assert isinstance(decide(listing(GPU.entry), ours(GPU), set(), {GPU}), Leave)


def test_what_a_server_puts_beside_our_words_does_not_make_it_anothers() -> None:
    write = written(listing(GPU.entry | {"default": 1}), ours(GPU), set())

    assert write.entries == ()


def test_of_two_equal_entries_only_ours_goes() -> None:
    write = written(listing(GPU.entry, THEIRS, GPU.entry), ours(GPU), set())

    assert write.entries == (THEIRS, GPU.entry)


def test_what_somebody_took_out_is_forgotten_when_nobody_needs_it() -> None:
    write = written(listing(THEIRS), ours(GPU), set())

    assert (write.ours, write.is_new_list) == (Ours(), False)


def test_what_somebody_took_out_is_added_again() -> None:
    assert written(listing(), ours(GPU), {GPU}).entries == (GPU.entry,)


def test_what_somebody_changed_is_theirs_from_then_on() -> None:
    changed = GPU.entry | {"externalResourceProvider": False}
    write = written(listing(changed), ours(GPU), {GPU})

    assert (write.ours, write.is_new_list) == (Ours(), False)


def test_both_names_of_a_model_can_be_ours() -> None:
    """Each node keeps the name that it chose first."""
    write = written(listing(GPU.entry), ours(GPU), {SAME_CARD_OLD_NAME}, {GPU})

    assert write.ours == ours(GPU, SAME_CARD_OLD_NAME)
    assert write.findings[SAME_CARD_OLD_NAME.resource_name].reason == Reason.PERMITTED


@pytest.mark.parametrize("listed", [None, {}, {"pciHostDevices": None}, {"pciHostDevices": []}])
def test_a_list_that_is_not_there_is_begun(listed: Listed) -> None:
    assert written(listed, Ours(), {GPU}).entries == (GPU.entry,)


def test_the_first_entry_restricts_what_was_free() -> None:
    assert written(None, Ours(), {GPU}).restricts
    assert not written({}, Ours(), {GPU}).restricts


def test_what_was_free_before_us_is_free_after_us() -> None:
    begun = written(None, Ours(), {GPU})

    assert written(listing(*(begun.entries or ())), begun.ours, set()).entries is None


@pytest.mark.parametrize("others", [{"usb": [{"resourceName": "a.com/usb"}]}, {"mediatedDevices": [{}]}])
def test_what_others_have_restricted_meanwhile_stays_so(others: dict[str, Any]) -> None:
    mine = ours(GPU, began=True)

    assert written(listing(GPU.entry, **others), mine, set()).entries == ()
    assert written(listing(GPU.entry, THEIRS), mine, set()).entries == (THEIRS,)


def test_an_empty_list_that_was_there_stays() -> None:
    assert written(listing(GPU.entry), ours(GPU), set()).entries == ()


def test_nothing_is_added_beside_kubevirts_own_plugin() -> None:
    """It would hand out the same devices under both names."""
    assert isinstance(decide(listing(PLUGGED_BY_KUBEVIRT), Ours(), {GPU}, set()), Leave)


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([], ("True", "Permitted")),
        ([GPU.entry], ("True", "Permitted")),
        ([THEIRS], ("True", "Permitted")),
        ([PLUGGED_BY_KUBEVIRT], ("False", "ConflictingPermission")),
        ([GPU.entry | {"externalResourceProvider": False}], ("False", "ConflictingPermission")),
        ([GPU.entry | {"resourceName": "nvidia.com/GTX"}], ("True", "ConflictingPermission")),
    ],
)
def test_what_is_found_is_told(entries: list[Any], found: tuple[str, str]) -> None:
    assert finding(listing(*entries), GPU) == found


def test_the_worst_of_two_models_with_one_name_is_told() -> None:
    for conflicting in (GPU, SAME_NAME_OTHER_CARD):
        entry = conflicting.entry | {"externalResourceProvider": False}
        found = decide(listing(entry), Ours(), {GPU, SAME_NAME_OTHER_CARD}, set()).findings

        assert {name: one.reason for name, one in found.items()} == {GPU.resource_name: "ConflictingPermission"}


@pytest.mark.parametrize(
    "annotation",
    ["", "{", "null", "7", '"10de:1c02 a/b"', "{}", "[7, null, [1]]", '["x", "a b c"]', '["permittedHostDevices"]'],
)
def test_an_annotation_that_makes_no_sense_names_nothing(annotation: str) -> None:
    assert Ours.parse(annotation) == Ours()


def test_the_annotation_is_a_list_of_selectors_and_names() -> None:
    assert ours(NIC, GPU).annotation == '["10de:1c02 nvidia.com/GP106", "8086:15f9 intel.com/I219"]'
    assert Ours().annotation is None


def status(allowed: str | None, *, had: bool = True) -> PCIDeviceClaimStatus:
    conditions = (Condition(type="Allowed", status=allowed, reason="X"),) if allowed else ()  # type: ignore[arg-type]
    claimed = ClaimedDevice(vendor_id="10de", device_id="1c02") if had else None
    return PCIDeviceClaimStatus(claimed=claimed, conditions=conditions)


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        (status("True"), True),
        (status("False"), False),
        (status("Unknown"), True),
        (status("Unknown", had=False), False),
        (status(None, had=False), False),
    ],
)
def test_a_claim_that_has_its_device_wants_it_permitted(told: PCIDeviceClaimStatus, wanted: bool) -> None:  # noqa: FBT001
    claim = a_claim(status=told)

    assert is_wanted(claim) == wanted
    assert not is_wanted(replace(claim, deleting=True))


def test_a_node_needs_what_its_claims_have() -> None:
    card, other = a_gpu(), a_gpu("0000:05:00.0")
    published = {one.name: one for one in (a_published(card), a_published(other))}
    name = a_published(card).status.resource_name

    assert needed_on(NODE, [a_claim(status=status("True"))], published) == {Permission("10de:1c02", name)}
    assert needed_on(NODE, [a_claim(status=status("True"))], {}) == set()
    assert needed_on(NODE, [a_claim(status=status("False"))], published) == set()


def test_a_device_with_a_name_of_its_own_is_permitted_under_that() -> None:
    published = a_published(a_gpu())
    claim = a_claim(status=status("True"), disable_resource_pooling=True)

    (needed,) = needed_on(NODE, [claim], {published.name: published})

    assert needed == Permission("10de:1c02", "nvidia.com/janus-000004000")
