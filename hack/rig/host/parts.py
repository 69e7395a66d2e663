"""The parts of the rig that are fetched or built once: QEMU, a kernel, the first file system of the guest."""

import hashlib
import shutil
import sys

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from debian import require, unpack
from programs import output
from store import Store


HOST_PACKAGES = (
    "busybox-static",
    "cpio",
    "kmod",
    "pciutils",
    "qemu-system-x86",  # for its libraries; it is too old itself: igb came with QEMU 8
    "xz-utils",
)
SUITES = {"6.12": "bookworm-backports", "6.1": "bookworm-security"}
BOOT_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
# Drivers of the emulated devices. The guest loads them at every boot, and is slow at unpacking.
DRIVERS = (
    *("8139cp", "8139too", "ahci", "bochs", "e1000e", "i2c-i801", "igb", "igbvf", "lpc_ich", "nvme"),
    *("snd-hda-intel", "vfio-pci", "virtio_net", "xhci-pci"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Where everything is that a guest is started from."""

    qemu: Path
    kernel: Path
    initrd: Path

    @property
    def image(self) -> Path:
        return next(self.kernel.glob("boot/vmlinuz-*"))

    @property
    def modules(self) -> Path:
        return self.kernel / "lib/modules"


def set_up(store: Store, *, kernel: str, init: Path) -> Parts:
    """Make what is not there yet. About 20 s the first time, nothing afterwards."""
    require(HOST_PACKAGES, store)
    qemu = store.folder("qemu-10", _qemu)
    unpacked = store.folder(f"kernel-{kernel}", partial(_kernel, kernel))
    recipe = f"{_version(unpacked)} {BOOT_MODULES} {init.read_text()}"
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    initrd = store.folder(f"initrd-{kernel}-{digest}", partial(_initrd, unpacked, init))
    return Parts(qemu=qemu, kernel=unpacked, initrd=initrd / "initrd")


def _qemu(folder: Path) -> None:
    print("vm: fetching QEMU", file=sys.stderr)
    packages = ("qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios")
    unpack(folder, suite="bookworm-backports", packages=packages)
    output([str(folder / "usr/bin/qemu-system-x86_64"), "--version"])


def _kernel(kernel: str, folder: Path) -> None:
    print(f"vm: fetching Linux {kernel}", file=sys.stderr)
    unpack(folder, suite=SUITES[kernel], kernel=True)
    shutil.rmtree(folder / "usr")
    depmod = ["depmod", "-b", str(folder), _version(folder)]
    output(depmod)
    if packed := [str(file) for file in _modules(folder, DRIVERS) if file.suffix == ".xz"]:
        output(["xz", "--decompress", *packed])
        output(depmod)


def _initrd(kernel: Path, init: Path, folder: Path) -> None:
    """Busybox, `init` and the modules with which it mounts this machine's own tree."""
    tree = folder / "tree"
    for name in ("bin", "dev", "lower", "modules", "proc", "root", "sys", "upper"):
        (tree / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "bin/busybox")
    shutil.copy(init, tree / "init")
    (tree / "init").chmod(0o755)
    for number, file in enumerate(_modules(kernel, BOOT_MODULES)):
        copy = tree / "modules" / f"{number:02}-{file.name}"  # the guest loads them in this order
        shutil.copy(file, copy)
        if copy.suffix == ".xz":
            output(["xz", "--decompress", str(copy)])
    # Not compressed: QEMU copies faster than the guest unpacks.
    output(["sh", "-c", "find . | cpio --create --format=newc --quiet > ../initrd"], cwd=tree)
    shutil.rmtree(tree)


def _modules(kernel: Path, names: tuple[str, ...]) -> list[Path]:
    """The files of some modules and of all that these depend on, in the order to load them."""
    nothing_of_ours = ["-C", "/dev/null", "-d", str(kernel), "-S", _version(kernel)]
    steps = output(["modprobe", *nothing_of_ours, "--show-depends", "-a", *names])
    files = [line.split(maxsplit=1)[1].strip() for line in steps.splitlines() if line.startswith("insmod ")]
    return [Path(file) for file in dict.fromkeys(files)]


def _version(kernel: Path) -> str:
    return next(kernel.glob("lib/modules/*")).name
