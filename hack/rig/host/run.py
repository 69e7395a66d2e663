"""
A command in a guest: its instructions, its boots, its exit status.

The folder of the run is the guest's /mnt. In it are `settings` and `command` for the guest; `booted`, `started`, `rc`
and `dmesg.txt` from it; and `console.log`, `qemu.log` and `host-qmp.sock` from QEMU.
"""

import shlex
import sys
import time

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from errors import RigError
from guest import started
from parts import Parts
from topology import Machine


BOOTS = 3  # QEMU's processors still step on each other at times: see topology
TIMED_OUT = 124
FAILED = 125
PATH = f"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{Path(sys.executable).parent}"
REPORTS = ("booted", "started", "rc", "dmesg.txt", "console.log", "qemu.log")

ACCELERATOR = "tcg,thread=multi,tb-size=512"
PROCESSOR = "max,la57=off,smap=off,smep=off,pcid=off"  # off is what costs time and is not needed
FIRMWARE = ("/usr/share/qemu", "/usr/lib/ipxe/qemu")
KERNEL_ARGUMENTS = (
    "console=ttyS0 quiet panic=-1 random.trust_cpu=on mitigations=off no_timer_check tsc=reliable audit=0 apparmor=0 "
    "net.ifnames=0 sysrq_always_enabled log_buf_len=2M"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What to run, where and for how long."""

    command: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    folder: Path
    rig: Path
    parts: Parts
    machine: Machine
    drivers: bool = True
    kernel_arguments: str = ""
    timeout: float = 600
    boot_timeout: float = 60

    def status(self) -> int:
        """Run it; the command's exit status, or TIMED_OUT, or FAILED. The folder has it, too, as `rc`."""
        self._instruct()
        try:
            status = self._boot_until_it_ran()
        except TimeoutError:
            print(f"vm: the command did not end within {self.timeout:g} s", file=sys.stderr)
            status = TIMED_OUT
        except RigError as error:
            print(f"vm: {error}", file=sys.stderr)
            status = FAILED
        (self.folder / "rc").write_text(f"{status}\n")
        return status

    def _instruct(self) -> None:
        """Write what `init` and `stage2` read."""
        settings = {
            "RIG": self.rig,
            "MODULES": self.parts.modules,
            "DRIVERS": "yes" if self.drivers else "no",
            "GUEST_PATH": PATH,
        }
        _write_lines(self.folder / "settings", _assignments(settings))
        command = self.command if len(self.command) > 1 else ["bash", "-c", *self.command]
        lines = [
            f"cd {shlex.quote(str(self.directory))} || exit {FAILED}",
            *(f"export {assignment}" for assignment in _assignments(self.environment)),
            f"exec {shlex.join(command)}",
        ]
        _write_lines(self.folder / "command", lines)

    def _boot_until_it_ran(self) -> int:
        for boot in range(1, BOOTS + 1):
            if self._boot():
                return self._reported()
            (self.folder / "console.log").replace(self.folder / f"console.failed-{boot}.log")
            print(f"vm: the boot has failed ({boot} of {BOOTS})", file=sys.stderr)
        raise RigError(f"no boot came as far as the command within {self.boot_timeout:g} s\n{self._last_words()}")

    def _boot(self) -> bool:
        """Stay with a guest until it ends. False when the boot fails, TimeoutError when the command takes too long."""
        for name in REPORTS:
            (self.folder / name).unlink(missing_ok=True)
        start = time.monotonic()
        with started(self._qemu(), folder=self.folder) as guest:
            for sign, number in (("booted", 1), ("started", 2)):
                due = number * self.boot_timeout
                late = due < self.timeout and not guest.relay(until=start + due)
                if late and not (self.folder / sign).exists():
                    return False
            if guest.relay(until=start + self.timeout):
                crashed = guest.process.returncode < 0
                return (self.folder / "started").exists() or not crashed
            guest.press("alt-sysrq-w")  # the kernel logs which tasks are blocked, and where
            guest.relay(until=time.monotonic() + 2)
            raise TimeoutError

    def _reported(self) -> int:
        """The exit status that the guest left before it ended."""
        try:
            return int((self.folder / "rc").read_text())
        except FileNotFoundError:
            raise RigError(f"the guest ended without an exit status\n{self._last_words()}") from None

    def _last_words(self) -> str:
        logs = [self.folder / name for name in ("qemu.log", "console.log")]
        return "\n".join(
            line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines()[-40:]
        )

    def _qemu(self) -> list[str]:
        prefix = self.parts.qemu
        firmware = (prefix / "usr/share/seabios", prefix / "usr/share/qemu", *FIRMWARE)
        return [
            str(prefix / "usr/bin/qemu-system-x86_64"),
            *(word for folder in firmware for word in ("-L", str(folder))),
            *("-accel", ACCELERATOR, "-cpu", PROCESSOR, "-rtc", "base=utc"),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "file:console.log"),
            *("-kernel", str(self.parts.image), "-initrd", str(self.parts.initrd)),
            *("-append", f"{KERNEL_ARGUMENTS} {self.machine.iommu.kernel_arguments} {self.kernel_arguments}"),
            *self.machine.arguments(),
            *("-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"),
            *("-device", "virtio-9p-pci,fsdev=host,mount_tag=host,bus=pcie.0,addr=18.0"),
            *("-fsdev", "local,id=run,path=.,security_model=none"),
            *("-device", "virtio-9p-pci,fsdev=run,mount_tag=run,bus=pcie.0,addr=19.0"),
        ]


def _write_lines(file: Path, lines: Iterable[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines))


def _assignments(values: Mapping[str, object]) -> list[str]:
    return [f"{name}={shlex.quote(str(value))}" for name, value in values.items()]
