"""The tables of mounts and of swap space: any place, any name, any length, and nothing that is no such table."""

from __future__ import annotations

import pytest

from pcidevices.adapters.sysfs.mounttables import mounts_in, name_of, swaps_in, unescaped


HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"


def line(where: str, *, numbers: str = "259:2", source: str = "/dev/nvme0n1p2", optional: str = "shared:1 ") -> str:
    return f"30 1 {numbers} / {where} rw,relatime {optional}- ext4 {source} rw,errors=remount-ro"


def place(*lines: str, numbers: str = "259:2", name: str = "nvme0n1p2") -> str:
    return str(mounts_in(iter(lines)).of(numbers=numbers, name=name))


@pytest.mark.parametrize("optional", ["", "shared:1 ", "shared:1 master:2 unbindable "])
def test_a_mount_is_known_by_its_numbers(optional: str) -> None:
    """Whatever it is called there: `/dev/root` was the name of the root's device for long."""
    assert place(line("/", source="/dev/root", optional=optional)) == "/"


def test_a_mount_is_known_by_its_source() -> None:
    """The numbers that btrfs shows belong to no device."""
    assert place(line("/srv", numbers="0:34")) == "/srv"


def test_what_is_mounted_is_not_what_another_device_carries() -> None:
    mounts = mounts_in(iter([line("/")]))

    assert mounts.of(numbers="259:20", name="nvme0n1p20") is None


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        (r"/a\040b", "/a b"),
        (r"/a\134040b", r"/a\040b"),
        (r"/a\0401", "/a 1"),
        (r"/a\99", r"/a\99"),
        ("/ä", "/ä"),
        ("\\", "\\"),
    ],
)
def test_escapes_are_what_the_kernel_writes_and_no_more(escaped: str, plain: str) -> None:
    """An escaped backslash begins no escape of its own."""
    assert unescaped(escaped) == plain


def test_a_place_that_would_break_a_line_is_quoted() -> None:
    assert place(line(r"/a\012b")) == r"'/a\nb'"


def test_many_mounts_are_told_in_one_place() -> None:
    """As on any node with pods, whose volumes are mounts of the root's file system."""
    lines = ["/", *(f"/var/lib/kubelet/pods/{number}" for number in range(100_000))]

    assert place(*map(line, lines)) == "/ (and at 100000 more places)"


@pytest.mark.parametrize(
    "text", ["", "x", "30 1 259:2 / / rw", "30 1 x:y / / rw - ext4 /dev/sda rw", "30 1 259:2 / / rw - ext4"]
)
def test_what_is_no_line_of_mountinfo_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="no line"):
        mounts_in(iter([line("/"), text]))


def test_a_table_without_mounts_is_an_error() -> None:
    """Every process sees a root."""
    with pytest.raises(ValueError, match="there is no line"):
        mounts_in(iter([]))


def test_partitions_are_swap_space_and_files_are_not() -> None:
    table = [HEAD, "/dev/nvme0n1p3                          partition\t1048572\t\t0\t\t-2", "/swapfile file 1 0 -3"]

    assert swaps_in(iter(table)) == {"nvme0n1p3"}


def test_swap_space_whose_disk_has_gone_is_still_swap_space() -> None:
    assert swaps_in(iter([HEAD, r"/dev/nvme0n1\040(deleted) partition 65532 0 -2"])) == {"nvme0n1"}


@pytest.mark.parametrize("table", [[], [""], ["x"], [HEAD, ""], [HEAD, "/dev/sda"], [HEAD, "/dev/sda disk 1 0 -2"]])
def test_what_is_no_table_of_swap_space_is_an_error(table: list[str]) -> None:
    with pytest.raises(ValueError, match=r"no headline|no line"):
        swaps_in(iter(table))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/dev/sda1", "sda1"),
        ("/host/dev/sda1", "sda1"),
        ("/dev/cciss/c0d0p1", "cciss!c0d0p1"),
        ("tmpfs", None),
        ("", None),
        ("10.0.0.1:/srv", None),
    ],
)
def test_the_kernel_s_name_of_a_device_follows_from_its_path(path: str, name: str | None) -> None:
    assert name_of(path) == name
