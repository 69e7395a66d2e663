"""What must be written, situation by situation."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from pcidevices.api.v1beta1 import Look
from pcidevices.domain.device import Unreadable
from pcidevices.domain.inventory import Amend, Create, Decision, Leave, Policy, Remove, status_of
from pcidevices.domain.published import PublishedDevice
from tests.support.builders import NODE, a_bridge, a_gpu, a_node, a_published, seen

from .turns import NOW, Seen, decided


GPU = a_gpu()
UNREADABLE = Unreadable(str(GPU.address), "vendor is missing")
WITH_BRIDGES = Policy(bridges=True)


@pytest.mark.parametrize(
    ("device", "published", "expected"),
    [
        pytest.param(None, None, Leave(), id="nothing there, nothing said"),
        pytest.param(GPU, a_published(GPU), Leave(), id="said as seen"),
        pytest.param(None, a_published(GPU), Remove(), id="vanished"),
        pytest.param(UNREADABLE, None, Leave(), id="never read: nothing can be said"),
        pytest.param(GPU, a_published(GPU, deleting=True), Leave(), id="on its way out"),
        pytest.param(None, a_published(GPU, deleting=True), Leave(), id="vanished, on its way out"),
        pytest.param(a_bridge(), None, Leave(), id="a bridge"),
        pytest.param(a_bridge(), a_published(a_bridge()), Remove(), id="a bridge, since bridges are off"),
    ],
)
def test_what_each_situation_asks_for(device: Seen, published: PublishedDevice | None, expected: Decision) -> None:
    assert decided(device, published) == expected


def test_the_answer_to_a_look_is_no_difference_and_is_kept_when_there_is_one() -> None:
    answer = Look(request="one", time=NOW)
    published = a_published(GPU, look=answer)

    assert decided(GPU, published) == Leave()
    amended = decided(replace(GPU, driver="vfio-pci"), published)
    assert isinstance(amended, Amend)
    assert amended.status is not None
    assert amended.status.look == answer


def test_a_new_device_is_published_with_its_labels_its_owner_and_all_that_is_seen() -> None:
    decision = decided(GPU, None)

    assert isinstance(decision, Create)
    assert decision.labels == {
        "nodename": NODE,
        "devices.harvesterhci.io/vendor": "10de",
        "devices.harvesterhci.io/device": "1c02",
        "devices.harvesterhci.io/class": "0300",
    }
    assert decision.owners == (a_node().as_owner,)
    assert decision.status == msgspec.structs.replace(status_of(GPU, NODE), conditions=(seen(NOW),))


def test_a_device_is_published_even_before_its_node_is_known() -> None:
    decision = decided(GPU, None, node=None)

    assert isinstance(decision, Create)
    assert decision.owners == ()


def test_only_what_differs_is_amended() -> None:
    rebound = replace(GPU, driver="vfio-pci")
    published = a_published(GPU)

    decision = decided(rebound, published)

    assert decision == Amend(
        labels=None,
        owners=None,
        status=msgspec.structs.replace(published.status, kernel_driver_in_use="vfio-pci"),
    )


def test_a_label_that_somebody_took_off_is_put_back() -> None:
    published = a_published(GPU)
    bare = replace(published, labels={"nodename": NODE, "team": "blue"})

    decision = decided(GPU, bare)

    assert decision == Amend(labels=published.labels, owners=None, status=None)


def test_a_misshapen_status_is_written_anew() -> None:
    published = a_published(GPU)
    empty = replace(published, status=type(published.status)())

    decision = decided(GPU, empty)

    assert isinstance(decision, Amend)
    assert decision.status == msgspec.structs.replace(published.status, conditions=(seen(NOW),))


def test_a_status_that_does_not_fit_is_written_anew_although_all_that_matters_fits() -> None:
    """Else it would be told of for ever."""
    published = a_published(GPU)
    misshapen = replace(published, misshapen_status=msgspec.to_builtins(published.status) | {"bootVga": "no"})

    decision = decided(GPU, misshapen)

    assert decision == Amend(labels=None, owners=None, status=published.status)


def test_bridges_are_published_where_the_policy_says_so() -> None:
    assert isinstance(decided(a_bridge(), None, policy=WITH_BRIDGES), Create)
    assert decided(a_bridge(), a_published(a_bridge()), policy=WITH_BRIDGES) == Leave()


def test_other_kinds_of_bridges_are_devices_like_any() -> None:
    """Only PCI-to-PCI bridges (0604) are topology; the ancestor publishes ISA and host bridges."""
    isa = a_bridge(class_code="060100")

    assert isinstance(decided(isa, None), Create)


def test_a_claimed_bridge_is_not_called_missing() -> None:
    """Switching bridges off must not say of one that is there that it is not on the node."""
    bridge = a_bridge()

    decision = decided(bridge, a_published(bridge), claimed=True)

    assert decision == Leave()
