"""Other programs: run to their end, and what they said when they fail."""

import os
import subprocess

from collections.abc import Mapping, Sequence
from pathlib import Path

from errors import RigError


PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"  # depmod is there, and not on everybody's path


def output(argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """What the program wrote to its standard output; RigError with its last words when it fails."""
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env={**os.environ, "PATH": PATH, "LC_ALL": "C", **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise RigError(f"this machine has no {argv[0]}; the rig needs a Debian-like one") from None
    if done.returncode:
        last_words = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise RigError(f"{' '.join(argv[:2])} failed with status {done.returncode}:\n{last_words}")
    return done.stdout
