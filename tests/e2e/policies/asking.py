"""Requests of many people over one connection to a real API server."""

from __future__ import annotations

import base64
import http.client
import json
import ssl

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


MERGE_PATCH = "application/merge-patch+json"
_METHODS = {"get": "GET", "create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody: with a token of their own, or a user whom the administrator plays."""

    user: str = ""
    token: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said."""

    status: int
    body: dict[str, Any]

    @property
    def is_refusal(self) -> bool:
        """By a role or a policy (403), or by the definition's own rules (422)."""
        return self.status in {403, 422}

    def __str__(self) -> str:
        return f"{self.status}: {self.body.get('message', self.body.get('kind'))}"


@dataclass
class Asking:
    """One connection; the kubeconfig's token is the administrator's."""

    kubeconfig: Path
    _connection: http.client.HTTPSConnection = field(init=False)
    _token: str = field(init=False)

    def __post_init__(self) -> None:
        config = json.loads(self.kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        address = urlsplit(cluster["server"])
        context = ssl.create_default_context(cadata=authority)
        self._connection = http.client.HTTPSConnection(address.hostname or "", address.port, context=context)
        self._token = config["users"][0]["user"]["token"]

    def ask(self, verb: str, path: str, body: Any = None, *, who: Who = Who()) -> Answer:
        """Ask as *who*, or as the administrator."""
        headers = {"Authorization": f"Bearer {who.token or self._token}", "Accept": "application/json"}
        headers["Content-Type"] = MERGE_PATCH if verb == "patch" else "application/json"
        headers |= {"Impersonate-User": who.user} if who.user else {}
        for group in who.groups:
            headers["Impersonate-Group"] = group
        text = None if body is None else json.dumps(body)
        self._connection.request(_METHODS[verb], path, body=text, headers=headers)
        answer = self._connection.getresponse()
        return Answer(answer.status, json.loads(answer.read() or b"{}"))

    def close(self) -> None:
        self._connection.close()

    def do(self, verb: str, path: str, body: Any = None) -> dict[str, Any]:
        """As the administrator, and it must succeed; what is there already is as good."""
        answer = self.ask(verb, path, body)
        assert answer.status < 300 or (verb == "create" and answer.status == 409), f"{verb} {path}: {answer}"
        return answer.body
