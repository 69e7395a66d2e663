"""Which module takes a device for virtual machines, and what modprobe says."""

from __future__ import annotations

import errno
import os

from pathlib import Path

import pytest

from anyio import create_task_group, fail_after

from pcidevices.adapters.sysfs.modules import KernelModules
from pcidevices.errors import DriverMissing, HostExhausted, WriteTimedOut


MLX5 = "pci:v000015B3d0000101Esv000015B3sd00000003bc02sc00i00"
NIC = "pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00"
LISTED = """\
# Aliases extracted from modules themselves.
alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci
alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci
alias vfio_pci:v000015B3d*sv*sd*bc*sc*i* other_vfio_pci
alias pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_core
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host's folder of modules; `modprobe` stands beside it."""
    (tmp_path / "lib/modules" / os.uname().release).mkdir(parents=True)
    return tmp_path / "lib/modules"


def list_aliases(root: Path, content: bytes | str, *, at: int = 1) -> None:
    file = root / os.uname().release / "modules.alias"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.utime(file, (at, at))


def modprobe(root: Path, script: str, *, patience: float = 10) -> KernelModules:
    program = root.parents[1] / "modprobe"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return KernelModules(root, modprobe=str(program), patience=patience)


def test_the_alias_with_the_fewest_wildcards_wins(root: Path) -> None:
    list_aliases(root, LISTED)

    assert KernelModules(root).vfio_driver(MLX5) == "mlx5_vfio_pci"
    assert KernelModules(root).vfio_driver(MLX5.replace("101E", "101F")) == "other_vfio_pci"


def test_a_device_that_no_variant_knows_is_for_vfio_pci(root: Path) -> None:
    list_aliases(root, LISTED)

    assert KernelModules(root).vfio_driver(NIC) == "vfio_pci"


def test_without_a_list_of_aliases_there_is_vfio_pci(root: Path) -> None:
    assert KernelModules(root).vfio_driver(MLX5) == "vfio_pci"
    assert KernelModules(root).vfio_modules() == {"vfio_pci"}


def test_all_modules_with_an_alias_of_vfio_are_vfios(root: Path) -> None:
    list_aliases(root, LISTED)

    assert KernelModules(root).vfio_modules() == {"vfio_pci", "mlx5_vfio_pci", "other_vfio_pci"}


def test_a_list_that_has_changed_is_read_again(root: Path) -> None:
    modules = KernelModules(root)
    list_aliases(root, "")
    before = modules.vfio_driver(MLX5)

    list_aliases(root, LISTED, at=2)

    assert (before, modules.vfio_driver(MLX5)) == ("vfio_pci", "mlx5_vfio_pci")


def test_a_list_that_is_gone_holds_for_the_modules_that_are_loaded(root: Path) -> None:
    """As after the package of the running kernel was removed: else a variant would pass for a driver of the host."""
    modules = KernelModules(root)
    list_aliases(root, LISTED)
    before = modules.vfio_modules()

    (root / os.uname().release / "modules.alias").unlink()

    assert modules.vfio_modules() == before


@pytest.mark.parametrize(
    "damage",
    [
        b"alias vfio_pci:v000015B3d0000101E",
        b"alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* a b",
        b"alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* ../../evil",
        b"alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* --remove",
        b"alias vfio_pci:\xff\xfe \xff",
        b"\0\0\0\0",
    ],
)
def test_a_damaged_line_is_passed_over(root: Path, damage: bytes) -> None:
    list_aliases(root, damage + b"\nalias vfio_pci:v000015B3d*sv*sd*bc*sc*i* good_vfio_pci\n")

    assert KernelModules(root).vfio_driver(MLX5) == "good_vfio_pci"


async def test_modprobe_is_told_where_the_modules_are(root: Path) -> None:
    """It adds lib/modules to its folder by itself."""
    told = root.parents[1] / "told"

    await modprobe(root, f'echo "$@" > {told}').load("vfio_pci")

    assert told.read_text() == f"-d {root.parents[1]} -- vfio_pci\n"


async def test_an_alias_of_a_device_can_be_loaded(root: Path) -> None:
    await modprobe(root, f'test "$4" = {NIC}').load(NIC)


async def test_what_modprobe_says_is_told(root: Path) -> None:
    modules = modprobe(root, 'echo "modprobe: FATAL: Module vfio_pci not found" >&2; exit 1')

    with pytest.raises(DriverMissing, match="FATAL: Module vfio_pci not found"):
        await modules.load("vfio_pci")


async def test_without_modprobe_the_driver_is_missing(root: Path) -> None:
    with pytest.raises(DriverMissing, match="install kmod"):
        await KernelModules(root, modprobe=str(root / "no-such-program")).load("vfio_pci")


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EMFILE, errno.ENOMEM])
async def test_a_modprobe_that_cannot_be_started_says_nothing_of_the_module(
    root: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_left(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("subprocess.run", nothing_left)

    with pytest.raises(HostExhausted):
        await KernelModules(root).load("vfio_pci")


async def test_a_folder_where_modprobe_cannot_look_is_named(tmp_path: Path) -> None:
    with pytest.raises(DriverMissing, match="ends in lib/modules"):
        await KernelModules(tmp_path / "elsewhere", modprobe="true").load("vfio_pci")


@pytest.mark.parametrize("name", ["", "-r", "--remove", "a b", "../evil", "a;b", "pci:../x", "usb:v1", "."])
async def test_what_is_no_module_is_never_asked_for(root: Path, name: str) -> None:
    with pytest.raises(DriverMissing, match="not the name"):
        await modprobe(root, "exit 0").load(name)


async def test_a_modprobe_that_hangs_is_given_up_and_not_started_again(root: Path) -> None:
    fifo, starts = root / "fifo", root / "starts"
    os.mkfifo(fifo)
    modules = modprobe(root, f"echo once >> {starts}; read line < {fifo}", patience=0.5)

    with pytest.raises(WriteTimedOut):
        await modules.load("vfio_pci")
    with pytest.raises(WriteTimedOut):
        await modules.load("vfio_pci")

    assert starts.read_text() == "once\n"
    fifo.write_text("go on\n")


async def test_who_wants_a_module_while_it_is_loaded_waits_for_that(root: Path) -> None:
    """Two at once would be told that the first has not come to an end."""
    modules = modprobe(root, "exit 0")

    with fail_after(10):
        async with create_task_group() as tg:
            for _ in range(5):
                tg.start_soon(modules.load, "vfio_pci")


def test_a_module_that_depmod_lists_can_be_loaded_and_another_cannot(root: Path) -> None:
    """Compressed or not, with hyphens or underscores."""
    here = root / os.uname().release
    (here / "modules.dep").write_text("kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/drivers/vfio/vfio.ko.xz\n")
    (here / "modules.builtin").write_text("kernel/drivers/vfio/pci/mlx5_vfio_pci.ko\n")
    modules = KernelModules(root)

    assert modules.has("vfio_pci")
    assert modules.has("mlx5_vfio_pci")
    assert modules.has("qat_vfio_pci") is False
    assert modules.has("vfio") is False, "others need it, and it is not there itself"


def test_without_a_list_of_modules_nobody_knows(root: Path) -> None:
    assert KernelModules(root).has("vfio_pci") is None
