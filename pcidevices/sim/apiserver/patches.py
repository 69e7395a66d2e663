"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902). Both return a new document and change nothing."""

from __future__ import annotations

from .errors import bad_request, unprocessable
from .values import Json, clone


def merged(target: Json, patch: Json) -> Json:
    """*target* after a JSON merge patch."""
    if not isinstance(patch, dict):
        return clone(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def edited(document: Json, operations: Json) -> Json:
    """*document* after the operations of a JSON patch; all of them or, by an `ApiError`, none."""
    if not isinstance(operations, list):
        raise bad_request("a JSON patch is a list of operations")
    result = clone(document)
    for operation in operations:
        try:
            result = _edit(result, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise unprocessable(f"the JSON patch operation {operation} does not apply: {error}") from error
    return result


def _edit(document: Json, operation: Json) -> Json:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "add":
            return _added(document, path, clone(operation["value"]))
        case "remove":
            return _removed(document, path)
        case "replace":
            _found(document, path)
            return _added(_removed(document, path), path, clone(operation["value"])) if path else operation["value"]
        case "move":
            origin = _pointer(operation["from"])
            value = _found(document, origin)
            return _added(_removed(document, origin), path, value)
        case "copy":
            return _added(document, path, clone(_found(document, _pointer(operation["from"]))))
        case "test":
            found = _found(document, path)
            if found != operation.get("value"):
                raise ValueError(f"found {found!r}")
            return document
    raise ValueError("no such operation")


def _pointer(text: Json) -> list[str]:
    if text == "":
        return []
    if not isinstance(text, str) or not text.startswith("/"):
        raise ValueError(f"not a JSON pointer: {text!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _found(document: Json, path: list[str]) -> Json:
    for part in path:
        document = document[_place(document, part)]
    return document


def _place(container: Json, part: str) -> Json:
    if not isinstance(container, list):
        return part
    index = int(part)
    if index < 0:
        raise IndexError("an index counts from the beginning")
    return index


def _added(document: Json, path: list[str], value: Json) -> Json:
    if not path:
        return value
    container = _found(document, path[:-1])
    if isinstance(container, list):
        index = len(container) if path[-1] == "-" else _place(container, path[-1])
        if index > len(container):
            raise IndexError("beyond the end of the list")
        container.insert(index, value)
    elif isinstance(container, dict):
        container[path[-1]] = value
    else:
        raise TypeError("the parent is neither an object nor a list")
    return document


def _removed(document: Json, path: list[str]) -> Json:
    if not path:
        return None
    container = _found(document, path[:-1])
    del container[_place(container, path[-1])]
    return document
