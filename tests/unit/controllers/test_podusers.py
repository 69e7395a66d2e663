"""What the kubelet knows of a device's users."""

from __future__ import annotations

from pcidevices.controllers.podusers import PodUsers
from pcidevices.domain.held import HeldDevice
from pcidevices.domain.sight import Holder, Sight
from pcidevices.errors import KubeletAway
from tests.support.builders import a_gpu, a_nic, at


GPU = "0000:04:00.0"
VM = HeldDevice("vms", "vm", "compute", "x.com/y", (GPU,))


class Kubelet:
    def __init__(self, *held: HeldDevice, away: str = "") -> None:
        self._held, self._away = held, away

    async def held(self) -> tuple[HeldDevice, ...]:
        if self._away:
            raise KubeletAway(self._away)
        return self._held


async def told(kubelet: Kubelet) -> list[str]:
    sight = await PodUsers(kubelet, lambda _: False).added_to(Sight(address=at(GPU)))  # type: ignore[arg-type]
    return [holder.text for holder in sight.holders]


async def test_a_pod_is_named_once_however_many_of_its_containers_have_the_device() -> None:
    side = HeldDevice("vms", "vm", "side", "x.com/y", (GPU,))
    other = HeldDevice("vms", "other", "compute", "x.com/y", ("0000:05:00.0",))

    assert await told(Kubelet(VM, side, other)) == ["pod vms/vm"]


async def test_a_device_that_was_given_away_is_used_although_its_pod_has_no_name() -> None:
    """After a start of the kubelet, until it knows its pods."""
    assert await told(Kubelet(HeldDevice("", "", "compute", "x.com/y", (GPU,)))) == [
        "a pod that the kubelet does not name now"
    ]


async def test_a_pod_that_has_another_of_the_group_is_a_user_too() -> None:
    """It may have yet to open it, and could not with a driver of the host beside."""
    sight = Sight(address=at("0000:04:00.1"), others=(a_gpu(GPU), a_nic("0000:06:00.0")))
    other = HeldDevice("vms", "other", "compute", "x.com/y", ("0000:05:00.0",))

    told = await PodUsers(Kubelet(VM, other), lambda _: False).added_to(sight)  # type: ignore[arg-type]

    assert told.holders == (Holder(at(GPU), "pod vms/vm"),)


async def test_no_answer_is_no_proof_that_nobody_has_it() -> None:
    assert await told(Kubelet(away="it is not there")) == ["the kubelet does not say who has it (it is not there)"]
