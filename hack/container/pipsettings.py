"""What pip on this machine is told, for the pip that works in the image: secrets, of which nothing stays there."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

from pathlib import Path

from .failure import ImageError


# Where to find packages and how to get there. A folder of this machine would not be found in the image.
KEPT = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
THERE = "/run/ca.crt"


def secrets(folder: Path, python: str = sys.executable) -> list[str]:
    """Options for buildah."""
    listed = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    if listed.returncode:
        raise ImageError(f"{python} has no pip, whose configuration says where wheels come from; run hack/setup")
    told = settings(listed.stdout)
    lines = ["[global]", *(f"{key} = {value}" for key, value in told.items() if key in KEPT)]
    authorities = Path(told.get("cert") or os.environ.get("SSL_CERT_FILE") or AUTHORITIES)
    options = []
    if authorities.is_file():
        lines.append(f"cert = {THERE}")
        options.append(f"--secret=id=ca.crt,src={authorities}")
    config = folder / "pip.conf"
    config.touch(mode=0o600)  # an index may want a password
    config.write_text("\n".join(lines) + "\n")
    return [*options, f"--secret=id=pip.conf,src={config}"]


def settings(listed: str) -> dict[str, str]:
    """Of what `pip config list` prints, the key of each setting without its section; a variable wins over a file."""
    found: dict[str, str] = {}
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        found[name.rpartition(".")[2]] = str(ast.literal_eval(value)).replace("\n", " ")
    return found
