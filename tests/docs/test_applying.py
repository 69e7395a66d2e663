"""The pages know one way of applying the manifests."""

from __future__ import annotations

import re

from tests.docs.pages import pages


_WHOLE = re.compile(r"kubectl (?:apply|diff)\b[^\n|]*\s-k\b[^\n]*")


def test_whole_overlays_are_applied_by_the_server() -> None:
    """Who applies in one way today and in another tomorrow meets conflicts, and cannot tell what they mean."""
    found = {(str(page), line) for page in pages() for line in _WHOLE.findall(page.text)}

    assert len(found) > 2
    assert {one for one in found if "--server-side" not in one[1]} == set()
