"""docs/how-to/secure.md lists what the manifests give, all of it and nothing else."""

from __future__ import annotations

from pathlib import Path

from tests.docs.pages import code, page, rows
from tests.manifests.built import COMPONENTS, OVERLAYS, ROOT, agent, composed, only, overlay


PAGE = page("docs/how-to/secure.md")


def test_every_mount_is_explained() -> None:
    """Where, what of the host, whether it can be written to, and what for."""
    pod, container = agent(overlay("plain"))
    paths = {volume["name"]: volume.get("hostPath", {}).get("path") for volume in pod["volumes"]}
    mounts = [(one["mountPath"], paths[one["name"]], not one.get("readOnly")) for one in container["volumeMounts"]]

    told = [
        (inside, {"the same": inside, "nothing": None}.get(host, host.strip("`")), writable == "writable")
        for (inside, *_), host, writable, why in (
            (code(row[0]), row[1], row[2], row[3]) for row in rows(PAGE.section("### Mounts"))
        )
        if why
    ]

    assert sorted(told, key=str) == sorted(mounts, key=str)


def test_every_capability_is_explained(tmp_path: Path) -> None:
    _, usual = agent(overlay("plain"))
    _, seeing = agent(composed(tmp_path, "see-processes"))

    told = [code(row[0])[0] for row in rows(PAGE.section("### Capabilities"))]

    assert told == seeing["securityContext"]["capabilities"]["add"]
    assert told[:1] == usual["securityContext"]["capabilities"]["add"]


def test_every_policy_is_explained() -> None:
    found = {
        one["metadata"]["name"]
        for name in OVERLAYS
        for one in overlay(name)
        if one["kind"] == "ValidatingAdmissionPolicy"
    }

    assert {code(row[0])[0] for row in rows(PAGE.section("### Admission policies"))} == found


def test_every_role_and_verb_for_people_is_explained() -> None:
    objects = overlay("plain")
    roles = {one["metadata"]["name"] for one in objects if one["kind"] == "ClusterRole"}
    section = PAGE.section("### Who may do what")
    told = {code(row[0])[0] for row in rows(section)}
    asked = {verb for verb in ("claim", "claim-protected", "release", "write-as-agent") if f"check('{verb}')" in _all()}

    assert {name for name in told if name.startswith("pcidevices-")} == {r for r in roles if "-agent" not in r}
    assert {name for name in told if not name.startswith("pcidevices-")} == {*asked, "impersonate"}
    assert "check('impersonate')" in _all()
    for name in ("view", "admin"):
        (row,) = (row for row in rows(section) if row[-1] == f"`{name}`")
        labels = only(objects, "ClusterRole", code(row[0])[0])["metadata"]["labels"]
        assert labels[f"rbac.authorization.k8s.io/aggregate-to-{name}"] == "true"


def test_every_overlay_and_component_is_in_the_page_that_installs() -> None:
    install = page("docs/how-to/install-kubevirt.md")

    told = [code(row[0])[0] for row in rows(install.section("## Choose an overlay"))]

    assert sorted(told) == sorted([*OVERLAYS, *COMPONENTS])


def _all() -> str:
    return "".join(path.read_text() for path in ROOT.glob("manifests/base/policies/*.yaml"))
