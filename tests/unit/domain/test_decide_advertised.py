"""The condition Advertised: told only while a claimed device cannot be offered under its name."""

from __future__ import annotations

from dataclasses import replace

from pcidevices.domain.conditions import Finding
from pcidevices.domain.inventory import Leave, Place, Policy, decide
from pcidevices.domain.published import PublishedDevice
from tests.support.builders import NODE, a_condition, a_gpu, a_node, a_published, seen

from .turns import NOW, Seen, written


GPU = a_gpu()
REFUSED = Finding("False", "ResourceNameTaken", "another has it")
OTHERS = a_condition("Theirs", "True")


def settled(device: Seen, before: PublishedDevice, refused: Finding | None) -> PublishedDevice:
    """What is published in the end; it takes one write at the most."""

    def decided(published: PublishedDevice) -> PublishedDevice:
        name = published.status.resource_name
        place = Place(NODE, a_node())
        decision = decide(
            device, published, place=place, policy=Policy(), claimed=True, kept_name=name, refused=refused, now=NOW
        )
        after = written(decision, published)
        assert after is not None
        assert (after == published) == isinstance(decision, Leave)
        return after

    after = decided(before)
    assert decided(after) == after
    return after


def test_a_refused_name_is_told_on_the_device() -> None:
    after = settled(GPU, a_published(GPU, conditions=[seen(), OTHERS]), REFUSED)

    told = a_condition("Advertised", "False", reason=REFUSED.reason, message=REFUSED.message, last_transition_time=NOW)
    assert after.status.conditions == (seen(), OTHERS, told)


def test_it_goes_with_the_refusal_and_nothing_else_does() -> None:
    refused = settled(GPU, a_published(GPU, conditions=[seen(), OTHERS]), REFUSED)

    assert settled(GPU, refused, None) == replace(refused, status=a_published(GPU, conditions=[seen(), OTHERS]).status)


def test_a_device_that_vanished_keeps_it() -> None:
    after = settled(None, a_published(GPU), REFUSED)

    assert [(c.type, c.status) for c in after.status.conditions] == [("Present", "False"), ("Advertised", "False")]


def test_another_refusal_of_the_same_kind_does_not_move_its_time() -> None:
    before = a_condition("Advertised", "False", reason="ResourceNameInvalid")

    after = settled(GPU, a_published(GPU, conditions=[seen(), before]), REFUSED)

    assert after.status.conditions[1].last_transition_time == before.last_transition_time
    assert after.status.conditions[1].reason == "ResourceNameTaken"
