"""That a claim is gone does not say that its device is back."""

from __future__ import annotations

import msgspec
import pytest

from pcidevices.api.v1beta1 import ClaimedDevice
from pcidevices.kubectl import unclaim
from pcidevices.kubectl.ending import ending
from pcidevices.kubectl.objects import DEVICES, Claim
from tests.support.clusterobjects import a_claim, a_device
from tests.support.smallcluster import SmallCluster
from tests.unit.kubectl.test_claiming import NIC_NAME, flags


TAKEN = ClaimedDevice(vendor_id="8086", device_id="10fb")


def taken(driver: str = "ixgbe", *, was_on_vfio: bool = False) -> Claim:
    claim = a_claim()
    status = msgspec.structs.replace(
        claim.status, claimed=TAKEN, kernel_driver_to_unbind=driver, was_on_vfio=was_on_vfio
    )
    return msgspec.structs.replace(claim, status=status)


def on(driver: str) -> SmallCluster:
    cluster = SmallCluster()
    cluster.has(a_device(kernel_driver_in_use=driver))
    return cluster


class Behind(SmallCluster):
    """The driver is published when it was asked for three times."""

    def run(self, *arguments: str, fed: bytes = b"") -> bytes:
        if len(self.asked) == 2:
            self.has(a_device(kernel_driver_in_use="ixgbe"))
        return super().run(*arguments, fed=fed)


@pytest.mark.parametrize(
    ("claim", "driver", "words"),
    [
        (taken(), "ixgbe", "given back"),
        (taken(""), "", "given back"),
        (taken(""), "ixgbe", "given back"),
        (taken("", was_on_vfio=True), "vfio-pci", "given back: it stays on vfio-pci"),
    ],
)
def test_a_device_that_is_where_it_was_is_given_back(claim: Claim, driver: str, words: str) -> None:
    assert ending(on(driver), claim, patience=0) == (words, True)


def test_a_device_without_a_driver_was_not_given_back() -> None:
    words, holds = ending(on(""), taken(), patience=0)

    assert holds is False
    assert "has no driver now" in words
    assert f"involvedObject.name={NIC_NAME}" in words


@pytest.mark.parametrize(("original", "driver"), [("ixgbe", "other"), ("ixgbe", "vfio-pci"), ("", "vfio-pci")])
def test_of_a_device_that_another_driver_has_that_is_told(original: str, driver: str) -> None:
    words, holds = ending(on(driver), taken(original), patience=0)

    assert holds is None
    assert f"is on {driver};" in words


def test_what_was_never_taken_needs_no_look() -> None:
    cluster = on("ixgbe")

    assert ending(cluster, a_claim(), patience=0) == ("given back", True)
    assert cluster.asked == []


def test_what_cannot_be_seen_is_not_said() -> None:
    cluster = on("ixgbe")
    cluster.refusals[f"{DEVICES}/{NIC_NAME}"] = "Error from server (Forbidden): you may not"
    without_status = SmallCluster()
    without_status.put(DEVICES, {"metadata": {"name": NIC_NAME}})

    for unseen in (cluster, SmallCluster(), without_status):
        words, holds = ending(unseen, taken(), patience=0)
        assert holds is None
        assert words.startswith("gone; ")


def test_the_agent_has_a_moment_to_publish_the_driver() -> None:
    cluster = Behind()
    cluster.has(a_device(kernel_driver_in_use="vfio-pci"))

    assert ending(cluster, taken()) == ("given back", True)
    assert len(cluster.asked) == 3


@pytest.mark.parametrize(("driver", "status", "said"), [("ixgbe", 0, "given back"), ("", 1, "has no driver now")])
def test_the_wait_ends_with_what_came_out(
    driver: str, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = on(driver)
    cluster.has(taken())

    assert unclaim.run(flags(unclaim, NIC_NAME, "--wait", "--timeout=0s"), cluster) == status
    assert said in capsys.readouterr().out.splitlines()[-1]
