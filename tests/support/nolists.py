"""Answers to a LIST, with status 200, that are none: not of the API server, or not of the kind that was asked for."""

from __future__ import annotations


NO_LISTS = (
    b"<html>proxy</html>",
    b'{"items": [',
    b"",
    b"[]",
    b"{}",
    b'{"items": []}',
    b'{"metadata": {}, "items": []}',
    b'{"metadata": {"resourceVersion": ""}, "items": []}',
    b'{"metadata": {"resourceVersion": "7"}}',
    b'{"metadata": {"resourceVersion": "7"}, "items": {}}',
    b'{"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}',
    b'{"kind": "APIVersions", "metadata": {"resourceVersion": "7"}}',
)
