"""Fetch containerd, runc and the CNI plugins, as Debian has them, and print the folder they are in."""

import sys

from pathlib import Path

from debian import unpack
from errors import RigError
from store import standard_store


PACKAGES = ("containerd", "containernetworking-plugins", "runc")


def fetch(folder: Path) -> None:
    """About 30 MB."""
    print("cluster: fetching containerd", file=sys.stderr)
    unpack(folder, suite="bookworm", packages=PACKAGES)


if __name__ == "__main__":
    try:
        print(standard_store().folder("containerd", fetch))
    except RigError as error:
        sys.exit(f"cluster: {error}")
