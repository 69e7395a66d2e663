"""What the kubelet has written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from pcidevices.adapters.kubelet.checkpoint import NAME, given_away
from pcidevices.domain.held import HeldDevice
from pcidevices.errors import KubeletAway


REAL = """{"Data":{"PodDeviceEntries":[{"PodUID":"a","ContainerName":"c","ResourceName":"x.com/y",
"DeviceIDs":{"-1":["0000:04:00.0"],"1":["0000:81:00.0"]},"AllocResp":"Cg=="}],
"RegisteredDevices":{"x.com/y":["0000:04:00.0","0000:81:00.0"]}},"Checksum":1}"""


def test_each_numa_node_has_its_ids(tmp_path: Path) -> None:
    """Whose they are is not told by name."""
    (tmp_path / NAME).write_text(REAL)

    assert given_away(tmp_path) == (HeldDevice("", "", "c", "x.com/y", ("0000:04:00.0", "0000:81:00.0")),)


def test_without_a_checkpoint_nothing_was_given_away(tmp_path: Path) -> None:
    assert [one for one in given_away(tmp_path) if one.ids] == []


@pytest.mark.parametrize(
    "text", ['{"Data":{}}', '{"Data":{"PodDeviceEntries":null}}', '{"Data":{"PodDeviceEntries":[{"DeviceIDs":null}]}}']
)
def test_an_empty_one_names_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)

    assert [one for one in given_away(tmp_path) if one.ids] == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"Data":{"PodDeviceEntries":[{"DeviceIDs":5}]}}'])
def test_a_damaged_one_proves_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)

    with pytest.raises(KubeletAway):
        given_away(tmp_path)
