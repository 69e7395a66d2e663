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


def test_where_no_kubelet_has_run_nothing_was_given_away(tmp_path: Path) -> None:
    assert given_away(tmp_path / "device-plugins") == ()


@pytest.mark.parametrize(
    "text",
    [
        '{"Data":{"PodDeviceEntries":null,"RegisteredDevices":{}},"Checksum":1}',
        '{"Data":{"PodDeviceEntries":[]}}',
        '{"Data":{"PodDeviceEntries":[{"ResourceName":"x.com/y","DeviceIDs":null}]}}',
        '{"Data":{"PodDeviceEntries":[{"ResourceName":"x.com/y","DeviceIDs":{"-1":null}}]}}',
    ],
)
def test_an_empty_one_names_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)

    assert [one for one in given_away(tmp_path) if one.ids] == []


def test_before_kubernetes_1_20_ids_were_one_list(tmp_path: Path) -> None:
    entry = '{"ContainerName":"c","ResourceName":"x.com/y","DeviceIDs":["b","a"]}'
    (tmp_path / NAME).write_text(f'{{"Data":{{"PodDeviceEntries":[{entry}]}}}}')

    assert given_away(tmp_path) == (HeldDevice("", "", "c", "x.com/y", ("a", "b")),)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"Version":2,"Entries":[{"DeviceIDs":{"-1":["0000:04:00.0"]}}]}',
        '{"Data":{}}',
        '{"Data":null}',
        '{"Data":{"PodDevices":[1]}}',
        '{"Data":{"PodDeviceEntries":[{"DeviceIDs":{"-1":["0000:04:00.0"]}}]}}',
        '{"Data":{"PodDeviceEntries":[{"ResourceName":"x.com/y","Devices":["0000:04:00.0"]}]}}',
    ],
)
def test_one_of_another_format_proves_nothing(tmp_path: Path, text: str) -> None:
    """A kubelet of tomorrow may write so; what it has given away is not free for that."""
    (tmp_path / NAME).write_text(text)

    with pytest.raises(KubeletAway, match="cannot be read"):
        given_away(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"Data":{"PodDeviceEntries":[{"ResourceName":"x.com/y","DeviceIDs":5}]}}']
)
def test_a_damaged_one_proves_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)

    with pytest.raises(KubeletAway):
        given_away(tmp_path)
