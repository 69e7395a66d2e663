"""What is said of a claim on its way."""

from __future__ import annotations

from pcidevices.kubectl.progress import are_hopeless, line, turned, why_not_ready
from pcidevices.kubectl.screen import Screen
from tests.support.clusterobjects import GPU, READY, SOUND, a_claim, condition


PROTECTED = [condition(kind, "DeviceProtected", "it is mounted") for kind in ("Ready", "Allowed", "Bound")]
BLOCKED = condition("Ready", "GroupNotViable", "0000:5e:00.1 is on snd_hda_intel")


def test_each_condition_is_told_as_it_turns_in_the_order_of_the_chain() -> None:
    before = a_claim(GPU, "janus", condition("Bound", "Binding"))
    now = a_claim(GPU, "janus", READY, condition("Bound", "Bound", status="True"), condition("Allowed", "Allowed"))

    assert [turn.type for turn in turned(before, now)] == ["Allowed", "Bound", "Ready"]
    assert list(turned(now, now)) == []


def test_what_does_not_hold_for_the_same_reason_is_told_once() -> None:
    assert [turn.type for turn in turned(None, a_claim(GPU, "janus", *PROTECTED))] == ["Allowed"]


def test_ready_is_told_when_it_alone_has_turned() -> None:
    before = a_claim(GPU, "janus", condition("Bound", "Bound", status="True"), READY)
    in_use = condition("Ready", "DeviceInUse", "process 4711 has it open")

    assert [turn.type for turn in turned(before, a_claim(GPU, "janus", before.status.conditions[0], in_use))] == [
        "Ready"
    ]


def test_a_refusal_ends_the_wait() -> None:
    assert are_hopeless([a_claim(GPU, "janus", *PROTECTED)], [])
    assert not are_hopeless([a_claim(GPU, "janus", condition("Ready", "Binding"))], [])
    assert not are_hopeless([a_claim(GPU)], [])
    assert not are_hopeless([], [])


def test_a_group_that_is_not_viable_is_waited_for_unless_nobody_can_make_it_so() -> None:
    blocked = a_claim(GPU, "janus", BLOCKED)

    assert not are_hopeless([blocked], [])
    assert are_hopeless([blocked], [blocked.name])
    assert are_hopeless([blocked, a_claim(SOUND, "janus", *PROTECTED)], [])


def test_a_line_says_why_only_where_something_is_wrong() -> None:
    screen = Screen(unicode=True)

    assert line("x", READY, screen) == "x  ✔ Ready        virtual machines can have it"
    assert line("x", BLOCKED, screen) == "x  ✘ Ready        GroupNotViable: 0000:5e:00.1 is on snd_hda_intel"
    assert line("x", condition("Bound", "Binding"), Screen()) == "x  ~ Bound        Binding"


def test_a_claim_that_no_agent_has_looked_at_says_where_to_look() -> None:
    assert "does one run on janus? kubectl get pods" in why_not_ready(a_claim(GPU))
    assert why_not_ready(a_claim(GPU, "janus", BLOCKED)) == "GroupNotViable: 0000:5e:00.1 is on snd_hda_intel"
