"""What no file of the tree may hold: where packages come from, and where somebody's files lie."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT, tracked


_REGISTRY = re.compile(
    rb"https?://[\w.-]*?(?:pypi\.|pythonhosted\.|proxy\.golang\.|sum\.golang\.|registry\.npmjs\.|npmjs\.com"
    rb"|deb\.debian\.|(?:ftp|security|snapshot|mirrors?)[\w.]*\.debian\.)"
)
_PLACE = re.compile(rb"(?<![\w.~-])/work[/]|\.pyenv[/]")


@pytest.mark.parametrize("pattern", [_REGISTRY, _PLACE], ids=["a registry's host", "a place on one machine"])
def test_no_file_names(pattern: re.Pattern[bytes]) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0].decode()}"
        for path in tracked()
        if (match := pattern.search(path.read_bytes()))
    ]

    assert found == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (_REGISTRY, "--index-url https://" + "pypi.org/simple"),
        (_REGISTRY, "https://files." + "pythonhosted.org/packages/x.whl"),
        (_REGISTRY, "GOPROXY=https://" + "proxy.golang.org"),
        (_REGISTRY, "deb http://" + "deb.debian.org/debian bookworm main"),
        (_PLACE, "cd " + "/work" + "/main"),
        (_PLACE, "~/" + ".pyenv" + "/shims/python"),
    ],
)
def test_what_is_looked_for_would_be_found(pattern: re.Pattern[bytes], text: str) -> None:
    assert pattern.search(text.encode())


@pytest.mark.parametrize("text", ["the net" + "work/main", "frame" + "/work" + "-around", "docs" + "/work" + "/x"])
def test_what_only_looks_alike_is_left_alone(text: str) -> None:
    assert not _PLACE.search(text.encode())
