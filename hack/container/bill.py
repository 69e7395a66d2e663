"""
What an image is made of, as a CycloneDX document.

It is read from the files of the image, of which nothing is run: dpkg's list, and what pip has written of each package.
"""

from __future__ import annotations

import hashlib
import re
import uuid

from dataclasses import dataclass
from email.parser import HeaderParser
from typing import TYPE_CHECKING
from urllib.parse import quote


if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from pathlib import Path

Document = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Material:
    """One package."""

    purl: str
    name: str
    version: str
    licence: str = ""
    is_expression: bool = False  # of SPDX, not words


def materials(root: Path) -> list[Material]:
    """All packages of the image whose files are below *root*."""
    return sorted({*debian(root), *python(root), *database(root)})


def debian(root: Path) -> Iterator[Material]:
    """What dpkg has installed."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', (root / "usr/lib/os-release").read_text(), re.MULTILINE))
    distribution = f"{release['ID']}-{release.get('VERSION_ID', release.get('VERSION_CODENAME', 'unknown'))}"
    for paragraph in (root / "var/lib/dpkg/status").read_text().split("\n\n"):
        said = HeaderParser().parsestr(paragraph.lstrip())
        if said["Status"] != "install ok installed":
            continue
        name, version = said["Package"], said["Version"]
        # Flaws are known by the source package; many packages have another name than theirs.
        source, _, built = (said["Source"] or name).partition(" ")
        upstream = quote(f"{source}@{built.strip('()') or version}")
        where = f"arch={said['Architecture']}&distro={distribution}&upstream={upstream}"
        purl = f"pkg:deb/{release['ID']}/{quote(name)}@{quote(version)}?{where}"
        yield Material(purl=purl, name=name, version=version)


def python(root: Path) -> Iterator[Material]:
    """What pip has installed."""
    for metadata in root.glob("opt/pcidevices/lib/python3*/site-packages/*.dist-info/METADATA"):
        said = HeaderParser().parsestr(metadata.read_text())
        name, version = re.sub(r"[-_.]+", "-", said["Name"]).lower(), said["Version"]
        yield Material(purl=f"pkg:pypi/{name}@{quote(version)}", name=name, version=version, **licence(said))


def licence(said: Message) -> dict[str, str | bool]:
    """Of a Python package: the expression where it has one, else what it calls its licence."""
    if expression := said["License-Expression"]:
        return {"licence": expression, "is_expression": True}
    classified = [it.rpartition(" :: ")[2] for it in said.get_all("Classifier", []) if it.startswith("License ::")]
    words = (said["License"] or " or ".join(classified)).strip()
    return {"licence": words.partition("\n")[0]}


def database(root: Path) -> Iterator[Material]:
    """The names of devices have a version of their own, which decides what resources are called."""
    with (root / "usr/share/misc/pci.ids").open(errors="replace") as lines:
        head = "".join(line for _, line in zip(range(40), lines, strict=False))
    if match := re.search(r"^#\s*Version:\s*(\S+)$", head, re.MULTILINE):
        yield Material(purl=f"pkg:generic/pci.ids@{match[1]}", name="pci.ids", version=match[1])


def document(name: str, version: str, found: list[Material]) -> Document:
    """The same materials make the same document."""
    digest = hashlib.sha256("\n".join([name, version, *(one.purl for one in found)]).encode()).digest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}",
        "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": "image", "name": name, "version": version}},
        "components": [_component(one) for one in found],
        "dependencies": [{"ref": "image", "dependsOn": [one.purl for one in found]}],
    }


def _component(one: Material) -> Document:
    kind = "data" if one.purl.startswith("pkg:generic/") else "library"
    component: Document = {"type": kind, "bom-ref": one.purl, "name": one.name, "version": one.version}
    if one.licence:
        told = {"expression": one.licence} if one.is_expression else {"license": {"name": one.licence}}
        component["licenses"] = [told]
    return {**component, "purl": one.purl}
