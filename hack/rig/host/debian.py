"""
Debian's packages, through the mirror, proxy and credentials that this machine's apt is set up with.

The rig's own packages are fetched and unpacked, never installed, from suites that the machine itself need not list: its
apt says where `bookworm` is, and the other suites are beside it. What apt knows of the machine is not touched.
"""

import os
import re
import shlex
import subprocess

from collections.abc import Sequence
from pathlib import Path

from errors import RigError
from programs import output
from store import Store


KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
NEIGHBOUR = {"bookworm-backports": "bookworm"}  # suites that are on the same mirror as another one


def require(packages: Sequence[str], store: Store) -> None:
    """Install what is missing; say how when we may not."""
    if not (missing := _missing(packages)):
        return
    commands = [
        ["apt-get", "update"],
        ["apt-get", "install", "-y", "--no-install-recommends", *missing],
    ]
    if os.geteuid():
        how = " && ".join(map(shlex.join, commands))
        raise RigError(f"this machine lacks {', '.join(missing)}; run as root: {how}")
    with store.lock():
        for command in commands:
            output(command, env={"DEBIAN_FRONTEND": "noninteractive"})


def _missing(packages: Sequence[str]) -> list[str]:
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", *packages]
    try:
        known = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        raise RigError("this machine has no dpkg-query; the rig needs a Debian-like one") from None
    installed = {name for state, name in map(str.split, known.splitlines()) if state == "installed"}
    return [package for package in packages if package not in installed]


def unpack(into: Path, *, suite: str, packages: Sequence[str] = (), kernel: bool = False) -> None:
    """Fetch packages of a suite and unpack them below `into`; with `kernel`, the suite's own kernel too."""
    scratch = into / "packages"
    (scratch / "lists/partial").mkdir(parents=True)
    signed_by = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    (scratch / "sources.list").write_text(f"deb {signed_by}{_mirror(suite)} {suite} main\n")
    settings = {
        "Dir::Etc::sourcelist": str(scratch / "sources.list"),
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": str(scratch / "lists"),
        "Dir::Cache": str(scratch),
        "APT::Sandbox::User": "root",  # its own user may not enter our folder
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    options = [f"-o{key}={value}" for key, value in settings.items()]
    output(["apt-get", *options, "update"])
    names = [f"{package}/{suite}" for package in packages]
    if kernel:
        depends = output(["apt-cache", *options, "depends", f"linux-image-amd64/{suite}"])
        names += re.findall(r"Depends: (linux-image-\S+)", depends)
    output(["apt-get", *options, "download", *names], cwd=scratch)
    for package in scratch.glob("*.deb"):
        output(["dpkg", "-x", str(package), str(into)])
    output(["rm", "-r", str(scratch)])


def _mirror(suite: str) -> str:
    """Where this machine gets a suite from. Asked of apt itself, which reads every format of its sources."""
    neighbour = NEIGHBOUR.get(suite, suite)
    uris = output(["apt-get", "update", "--print-uris"])
    if found := re.search(rf"^'(\S+)/dists/{neighbour}/InRelease'", uris, re.MULTILINE):
        return found[1]
    raise RigError(f"apt on this machine has no source for {neighbour}; the rig needs Debian 12")
