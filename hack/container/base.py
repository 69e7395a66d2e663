"""A base image out of Debian's packages alone, by way of the mirror that this machine's apt uses."""

from __future__ import annotations

import hashlib
import re
import tempfile

from pathlib import Path
from typing import TYPE_CHECKING

from .programs import run, say


if TYPE_CHECKING:
    from .storage import Storage

# As small as the images that Debian publishes: the essential packages, without what people read.
RECIPE = (
    "--quiet",
    "--variant=minbase",
    "--include=usr-is-merged",  # or else usrmerge comes, and all of Perl with it
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
)


def base(storage: Storage, suite: str, *, fresh: bool) -> str:
    """The name of the base image; it is made, in about a minute, when it is not there."""
    sources = [f"deb {mirror} {name} main" for name, mirror in mirrors(suite).items()]
    digest = hashlib.sha256("\n".join([*RECIPE, *sources]).encode()).hexdigest()[:12]
    name = f"localhost/pcidevices-base-{suite}:{digest}"
    if storage.has(name) and not fresh:
        return name
    say(f"making a base of {suite}")
    with tempfile.TemporaryDirectory(dir=storage.root, prefix="base-") as scratch:
        tar = Path(scratch) / "base.tar"
        run(["mmdebstrap", *RECIPE, suite, tar, *sources])
        storage.add_layer(name, tar)
    return name


def mirrors(suite: str) -> dict[str, str]:
    """Where this machine gets a suite and its updates from: for those suites that its apt knows, by their names."""
    uris = run(["apt-get", "update", "--print-uris"])
    found = {}
    for name in (suite, f"{suite}-updates", f"{suite}-security"):
        if match := re.search(rf"^'(\S+)/dists/{re.escape(name)}/InRelease'", uris, re.MULTILINE):
            found[name] = match[1]
    return found
