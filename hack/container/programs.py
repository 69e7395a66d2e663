"""Other programs: Debian's, installed when they are missing, and run to their end."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys

from typing import TYPE_CHECKING

from .failure import ImageError


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WANTED = ("buildah", "mmdebstrap")


def require() -> None:
    """Have what builds images; install it, or say how."""
    if os.geteuid():
        raise ImageError("building an image takes root: its files belong to root")
    missing = [name for name in WANTED if not shutil.which(name)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise ImageError(f"this machine has no {missing[0]}, and no apt-get to install it with")
    say(f"installing {', '.join(missing)}")
    run(["apt-get", "update", "-qq"])
    quietly = ("env", "DEBIAN_FRONTEND=noninteractive")
    run([*quietly, "apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing])


def run(command: Sequence[str | Path], *, to_see: bool = False) -> str:
    """What it prints; an error with its last words when it fails. `to_see` shows what it says, as it says it."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if to_see else subprocess.PIPE,
        stderr=None if to_see else subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        last_words = "\n".join((done.stderr or done.stdout or "").strip().splitlines()[-5:])
        what = shlex.join(map(str, command[:2]))
        raise ImageError(f"{what} failed with status {done.returncode}\n{last_words}".strip())
    return done.stdout or ""


def say(what: str) -> None:
    """Tell the person at the terminal how far it is."""
    print(f"image: {what}", file=sys.stderr, flush=True)
