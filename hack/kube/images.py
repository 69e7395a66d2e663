"""Images for containers, without a registry."""

from __future__ import annotations

import hashlib
import json
import platform
import tarfile
import tempfile

from pathlib import Path


ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
KIND = "application/vnd.oci.image."


def write_image(archive: Path, name: str, root: Path, command: list[str]) -> None:
    """An archive of one OCI image, whose only layer is a folder."""
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        layout = Path(scratch)
        (layout / "blobs/sha256").mkdir(parents=True)
        with tarfile.open(layout / "layer", "w") as tar:
            tar.add(root, arcname=".")
        layer = blob(layout, "layer.v1.tar", layout / "layer")
        machine = platform.machine()
        config = {
            "architecture": ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "config": {"Cmd": command, "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        }
        manifest = {
            "schemaVersion": 2,
            "config": document(layout, "config.v1+json", config),
            "layers": [layer],
        }
        described = document(layout, "manifest.v1+json", manifest)
        described["annotations"] = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
        (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
        (layout / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
        with tarfile.open(archive, "w") as tar:
            for part in ("oci-layout", "index.json", "blobs"):
                tar.add(layout / part, arcname=part)


def document(layout: Path, kind: str, content: object) -> dict[str, object]:
    """Add a document, as JSON."""
    (layout / "document").write_text(json.dumps(content))
    return blob(layout, kind, layout / "document")


def blob(layout: Path, kind: str, file: Path) -> dict[str, object]:
    """Move a file to where its digest says."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    file.rename(layout / "blobs/sha256" / digest)
    return {"mediaType": KIND + kind, "digest": f"sha256:{digest}", "size": size}
