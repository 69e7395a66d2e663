"""Names from the PCI ID database."""

from __future__ import annotations

import errno
import os

from pathlib import Path
from typing import NoReturn

import pytest

from structlog.testing import capture_logs

from pcidevices.adapters.sysfs.pciids import PciIds
from pcidevices.adapters.sysfs.pciidsfile import find
from pcidevices.adapters.sysfs.scan import scan
from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice
from pcidevices.domain.naming import UNNAMED, PciNames
from pcidevices.errors import HardwareError
from tests.support.sysfs_tree import GPU, SysfsTree


DATABASE = b"""\
#
#\tList of PCI ID's
#

001c  PEAK-System Technik GmbH
\t0001  PCAN-PCI CAN-Bus controller
\t\t001c 0004  2 Channel CAN Bus SJC1000
10de  NVIDIA Corporation
\t1c03  GP106 [GeForce GTX 1060 6GB]
\t10f1  GP106 High Definition Audio Controller
8086  Intel Corporation
\t10d3  82574L Gigabit Network Connection
\t\t103c 1782  NC112i 1-port Ethernet Server Adapter

# List of known device classes, subclasses and programming interfaces

C 02  Network controller
\t00  Ethernet controller
\t80  Network controller
C 03  Display controller
\t00  VGA compatible controller
\t\t00  VGA controller
C 04  Multimedia controller
"""
GPU_NAMES = PciNames(
    "NVIDIA Corporation", "GP106 [GeForce GTX 1060 6GB]", "Display controller", "VGA compatible controller"
)


def models(*devices: PciDevice) -> set[tuple[str, str, str]]:
    return {(one.vendor, one.device, one.class_id) for one in devices}


def a_device(ids: str = "10de:1c03", class_code: str = "030000") -> PciDevice:
    vendor, device = ids.split(":")
    return PciDevice(address=PciAddress(0, 4, 0, 0), vendor=vendor, device=device, class_code=class_code)


def names_in(folder: Path, database: bytes, device: PciDevice | None = None) -> PciNames:
    """What one device is called according to a database."""
    device = device or a_device()
    path = folder / "pci.ids"
    path.write_bytes(database)
    return PciIds(path).names_of(models(device))[device.vendor, device.device, device.class_id]


def test_a_model_has_the_names_of_vendor_device_class_and_subclass(tmp_path: Path) -> None:
    assert names_in(tmp_path, DATABASE) == GPU_NAMES


@pytest.mark.parametrize(
    ("ids", "class_code", "expected"),
    [
        ("10de:ffff", "030000", GPU_NAMES._replace(device=None)),
        ("ffff:1c03", "030000", GPU_NAMES._replace(vendor=None, device=None)),
        ("10de:1c03", "03ff00", GPU_NAMES._replace(subclass_name=None)),
        ("10de:1c03", "ff0000", GPU_NAMES._replace(class_name=None, subclass_name=None)),
        ("10de:1c03", "040300", GPU_NAMES._replace(class_name="Multimedia controller", subclass_name=None)),
        ("001c:0004", "ffffff", PciNames(vendor="PEAK-System Technik GmbH")),
    ],
    ids=["device", "vendor", "subclass", "class", "a class without subclasses", "a subsystem is no device"],
)
def test_what_the_database_does_not_have_is_none(tmp_path: Path, ids: str, class_code: str, expected: PciNames) -> None:
    assert names_in(tmp_path, DATABASE, a_device(ids, class_code)) == expected


def test_a_device_id_belongs_to_its_vendor_alone(tmp_path: Path) -> None:
    assert names_in(tmp_path, DATABASE, a_device("8086:1c03")).device is None


def test_a_vendor_whose_id_looks_like_a_class_is_a_vendor(tmp_path: Path) -> None:
    database = b"c0de  Motorola\n\t0300  A board\nC 03  Display controller\n\t00  VGA compatible controller\n"

    assert names_in(tmp_path, database, a_device("c0de:0300")) == PciNames(
        "Motorola", "A board", "Display controller", "VGA compatible controller"
    )


def test_names_are_kept_as_they_are_written(tmp_path: Path) -> None:
    """Trailing and inner spaces are part of the names that users have."""
    database = b"10de  NVIDIA  Corporation \n\t1c03   GP106\t[x] \n"

    assert names_in(tmp_path, database)[:2] == ("NVIDIA  Corporation ", " GP106\t[x] ")


def test_lines_may_end_as_on_windows(tmp_path: Path) -> None:
    assert names_in(tmp_path, DATABASE.replace(b"\n", b"\r\n")) == GPU_NAMES


def test_the_last_line_may_have_no_end(tmp_path: Path) -> None:
    assert names_in(tmp_path, b"10de  NVIDIA\n\t1c03  GP106")[:2] == ("NVIDIA", "GP106")


def test_names_are_utf_8(tmp_path: Path) -> None:
    assert names_in(tmp_path, "10de  Société\n".encode()).vendor == "Société"


def test_bytes_that_are_no_utf_8_cost_only_themselves(tmp_path: Path) -> None:
    database = DATABASE.replace(b"NVIDIA Corporation", "Société".encode("latin-1"))

    assert names_in(tmp_path, database) == GPU_NAMES._replace(
        vendor="Soci\N{REPLACEMENT CHARACTER}t\N{REPLACEMENT CHARACTER}"
    )


def test_the_first_of_two_equal_entries_counts(tmp_path: Path) -> None:
    database = b"10de  First\n\t1c03  One\n\t1c03  Two\n10de  Second\n\t1c03  Three\n"

    assert names_in(tmp_path, database)[:2] == ("First", "One")


@pytest.mark.parametrize(
    "line",
    [
        b"10de",
        b"10de NVIDIA",
        b"10de\tNVIDIA",
        b"10de  ",
        b"10DG  Nobody",
        b"10  Short",
        b"\t",
        b"\t1c0",
        b"\t1c04 One space",
        b"C 3  Short",
        b"C",
        b"S 01  A section of another kind of database",
        b"\0" * 100,
        b"\xff\xfe",
        b"x" * (1 << 17),
        b" 10de  Indented",
    ],
    ids=lambda line: repr(line[:12]),
)
def test_a_damaged_line_is_skipped_and_told(tmp_path: Path, line: bytes) -> None:
    """One bad line costs neither what is before nor what is after it."""
    first, _, rest = DATABASE.partition(b"10de  ")
    with capture_logs() as logs:
        names = names_in(tmp_path, first + line + b"\n10de  " + rest)

    assert names == GPU_NAMES
    if line.strip():
        (told,) = logs
        assert (told["event"], told["lines"], told["first"]) == ("pciids.damaged", 1, first.count(b"\n") + 1)


def test_what_is_below_a_damaged_vendor_is_not_given_to_the_one_before(tmp_path: Path) -> None:
    database = b"10de  NVIDIA\n8o86  Intel\n\t1c03  Not NVIDIA's\n1002  AMD\n\t1c03  AMD's\n"
    with capture_logs() as logs:
        names = names_in(tmp_path, database)

    assert names == PciNames(vendor="NVIDIA")
    assert logs[0]["lines"] == 2


def test_a_line_of_more_than_64_kib_ends_nothing(tmp_path: Path) -> None:
    database = b"001c  " + b"x" * (1 << 17) + b"\n" + DATABASE
    with capture_logs() as logs:
        assert names_in(tmp_path, database) == GPU_NAMES
    assert logs == []


def test_damage_is_told_once_for_the_whole_file(tmp_path: Path) -> None:
    with capture_logs() as logs:
        names_in(tmp_path, b"?\n" * 1000 + DATABASE)

    assert [(told["event"], told["lines"], told["first"]) for told in logs] == [("pciids.damaged", 1000, 1)]


def test_without_a_database_nothing_has_a_name_and_that_is_told() -> None:
    with capture_logs() as logs:
        names = PciIds(None).names_of(models(a_device()))

    assert list(names.values()) == [UNNAMED]
    assert [told["event"] for told in logs] == ["pciids.missing"]


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_database_that_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    with capture_logs() as logs:
        names = PciIds(tmp_path / name).names_of(models(a_device()))

    assert list(names.values()) == [UNNAMED]
    assert [told["event"] for told in logs] == ["pciids.unreadable"]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM], ids=errno.errorcode.get)
def test_names_are_not_made_of_ids_because_the_machine_has_run_out_of_means(
    tree: SysfsTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """They would be kept for ever: the scan fails instead, and the next one finds the database."""
    tree.plug("0000:04:00.0", GPU)
    (tmp_path / "pci.ids").write_bytes(DATABASE)
    database = PciIds(tmp_path / "pci.ids")

    def refuse(path: Path, *_: object) -> NoReturn:
        raise OSError(number, os.strerror(number), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(HardwareError, match=os.strerror(number)):
            scan(tree.root, names=database.names_of)

    (device,) = scan(tree.root, names=database.names_of).scan.devices
    assert device.names == GPU_NAMES


def test_the_file_is_read_again_only_for_new_models(tmp_path: Path) -> None:
    """Names that were found stay, whatever becomes of the file."""
    path = tmp_path / "pci.ids"
    path.write_bytes(DATABASE)
    database = PciIds(path)
    database.names_of(models(a_device()))
    path.write_bytes(DATABASE.replace(b"NVIDIA", b"Renamed"))

    assert database.names_of(models(a_device()))["10de", "1c03", "0300"] == GPU_NAMES
    both = database.names_of(models(a_device(), a_device("10de:10f1", "040300")))
    assert both["10de", "1c03", "0300"] == GPU_NAMES
    assert both["10de", "10f1", "0403"].vendor == "Renamed Corporation"


def test_only_the_names_that_are_needed_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "pci.ids"
    path.write_bytes(DATABASE)

    assert PciIds(path).names_of(models(a_device())) == {("10de", "1c03", "0300"): GPU_NAMES}


def test_no_devices_need_no_database() -> None:
    with capture_logs() as logs:
        assert PciIds(None).names_of(models()) == {}
    assert logs == []


def test_the_database_is_where_a_distribution_put_it(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").touch()
    (tmp_path / "third").touch()

    assert find([str(tmp_path / name) for name in ("none", "first", "second", "third")]) == tmp_path / "second"
    assert find([str(tmp_path / "none")]) is None
