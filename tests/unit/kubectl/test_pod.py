"""What a container asks for."""

from __future__ import annotations

from pcidevices.kubectl.pod import lines
from tests.support.clusterobjects import GPU, a_claim, a_gpu, a_sound


def test_a_container_asks_for_so_many_of_each_resource() -> None:
    """Equal devices are one resource; and VFIO locks the memory that they may reach."""
    found = lines([a_gpu(), a_sound(), a_gpu("venus")], {})

    assert found["resources"] == {
        "limits": {
            "nvidia.com/GP106_GEFORCE_GTX_1060_3GB": "2",
            "nvidia.com/GP106_HIGH_DEFINITION_AUDIO_CONTROLLER": "1",
        }
    }
    assert found["securityContext"] == {"capabilities": {"add": ["IPC_LOCK"]}}


def test_an_unpooled_device_is_asked_for_by_its_own_name() -> None:
    gpu = a_gpu()
    claim = a_claim(GPU, disable_resource_pooling=True)

    found = lines([gpu], {gpu.place: claim})

    assert found["resources"] == {"limits": {"nvidia.com/janus-00005e000": "1"}}
