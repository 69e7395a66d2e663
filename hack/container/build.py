"""From a checkout to an archive with the image, and beside it the bill of materials."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time

from dataclasses import dataclass
from pathlib import Path

from . import bill, pipsettings
from .base import base as made_base
from .programs import require, say
from .storage import standard_storage


ROOT = Path(__file__).resolve().parents[2]
# What other images of ours build on; named, so that it is kept.
KEPT = "localhost/pcidevices-requirements:latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """Where everything is."""

    archive: Path
    bill: Path


def build(*, tag: str | None, base: str | None, suite: str, folder: Path, fresh: bool) -> Built:
    """Make the image; its name is that in the archive."""
    require()
    name = tag or f"localhost/pcidevices:{version()}"
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]", "-", name.rpartition("/")[2])
    built = Built(archive=folder / f"{stem}.tar", bill=folder / f"{stem}.cdx.json")
    since = time.monotonic()
    storage = standard_storage()
    with storage.alone():
        base = base or made_base(storage, suite, fresh=fresh)
        arguments = {"BASE": base, "VERSION": version(), "REVISION": revision()}
        with tempfile.TemporaryDirectory(dir=storage.root, prefix="build-") as scratch:
            options = pipsettings.secrets(Path(scratch), python())
            options += ["--no-cache"] if fresh else []
            say(f"building {name}")
            storage.build(KEPT, ROOT, arguments=arguments, options=[*options, "--target=requirements"])
            options = [option for option in options if option != "--no-cache"]
            storage.build(name, ROOT, arguments=arguments, options=options)
        with storage.mounted(name) as root:
            materials = bill.materials(root)
            built.bill.write_text(json.dumps(bill.document(name, version(), materials), indent=1) + "\n")
        storage.save(name, built.archive)
        storage.prune()
    size = built.archive.stat().st_size / 1e6
    say(f"{size:.1f} MB compressed, {len(materials)} packages, {time.monotonic() - since:.0f} s")
    return built


def version() -> str:
    """The program's, from the one place where it stands."""
    text = (ROOT / "pcidevices/__init__.py").read_text()
    return re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)[0]


def revision() -> str:
    """The commit that is checked out; "unknown" outside of a checkout."""
    words = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        told = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        told = ""
    return told or "unknown"


def python() -> str:
    """The one whose pip knows where packages are."""
    ours = ROOT / ".venv/bin/python"
    return str(ours) if ours.exists() else "python3"
