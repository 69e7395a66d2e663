"""hack/vm: run a command of this checkout as root on a real kernel, among emulated PCI devices behind an IOMMU."""

import argparse
import os
import shutil
import signal
import sys
import tempfile

from pathlib import Path
from types import FrameType
from typing import NoReturn

from errors import RigError
from parts import SUITES, set_up
from run import FAILED, Run
from store import standard_store
from topology import IOMMUS, Machine


RIG = Path(__file__).resolve().parent.parent


class Parser(argparse.ArgumentParser):
    """A wrong option is a failure of the rig, and must not look like a status of the command."""

    def error(self, message: str) -> NoReturn:
        self.exit(FAILED, f"vm: {message}\n{self.format_usage()}")


def parser() -> Parser:
    """The options, which end at `--`."""
    usage = "hack/vm [OPTION…] -- COMMAND…"
    epilog = "One word as COMMAND is a line for bash; several are run as they are. See docs/how-to/rig.md."
    options = Parser(prog="hack/vm", usage=usage, description=__doc__, epilog=epilog, allow_abbrev=False)
    add = options.add_argument
    add("--kernel", choices=SUITES, default="6.12", help="Linux, as Debian builds it (default: %(default)s)")
    add("--iommu", choices=IOMMUS, default="intel", help="default: %(default)s")
    add("--numa", action="store_true", help="two nodes; a NIC at 81:00.0 on node 1")
    add("--bare", action="store_true", help="no devices but the rig's own")
    add("--no-drivers", action="store_true", help="leave all devices without drivers")
    add("--device", action="append", default=[], metavar="RAW", help="one more -device for QEMU; repeatable")
    add("--global", action="append", default=[], metavar="RAW", help="one more -global for QEMU; repeatable")
    add("--append", default="", metavar="WORDS", help="more arguments for the kernel")
    add("--mem", type=int, default=1024, metavar="MB", help="default: %(default)s")
    add("--smp", type=int, default=2, metavar="N", help="processors (default: %(default)s)")
    add("--env", action="append", default=[], metavar="NAME[=VALUE]", help="for COMMAND; repeatable")
    add("--out", type=Path, metavar="DIR", help="the guest's /mnt, with its logs (default: a temporary folder)")
    add("--timeout", type=float, default=600, metavar="S", help="for a guest, boot and all (default: %(default)s)")
    add("--boot-timeout", type=float, default=60, metavar="S", help="then it is booted anew (default: %(default)s)")
    add("--setup-only", action="store_true", help="fetch what is missing and end")
    return options


def environment(wanted: list[str]) -> dict[str, str]:
    """NAME=VALUE as it stands; NAME as it is here, if it is."""
    named = {name: os.environ[name] for name in wanted if name in os.environ}
    return named | dict(word.split("=", 1) for word in wanted if "=" in word)


def main(words: list[str]) -> int:
    """Set up and run; the exit status."""
    separator = words.index("--") if "--" in words else len(words)
    options, command = parser().parse_args(words[:separator]), words[separator + 1 :]
    if not command and not options.setup_only:
        parser().error("no COMMAND after --")
    if options.numa and options.smp < 2:
        parser().error("--numa needs two processors")
    parts = set_up(standard_store(), kernel=options.kernel, init=RIG / "init")
    if options.setup_only:
        return 0
    folder = options.out.absolute() if options.out else Path(tempfile.mkdtemp(prefix="pcidevices-vm-"))
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(
        command=command,
        directory=Path.cwd(),
        environment=environment(options.env),
        folder=folder,
        rig=RIG,
        parts=parts,
        machine=Machine(
            iommu=IOMMUS[options.iommu],
            numa=options.numa,
            bare=options.bare,
            memory=options.mem,
            processors=options.smp,
            devices=tuple(options.device),
            properties=tuple(getattr(options, "global")),
        ),
        drivers=not options.no_drivers,
        kernel_arguments=options.append,
        timeout=options.timeout,
        boot_timeout=options.boot_timeout,
    )
    status = 0
    try:
        status = run.status()
    finally:
        if options.out is None:
            if status:
                print(f"vm: exit status {status}; logs are in {folder}", file=sys.stderr)
            else:
                shutil.rmtree(folder)
    return status


def ended(number: int, _frame: FrameType | None) -> NoReturn:
    """A signal ends us as an exception does: with QEMU first."""
    sys.exit(128 + number)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ended)
    try:
        sys.exit(main(sys.argv[1:]))
    except RigError as error:
        print(f"vm: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except BrokenPipeError:
        sys.exit(128 + signal.SIGPIPE)
