"""From a CustomResourceDefinition to the kinds it defines."""

from __future__ import annotations

from collections.abc import Iterator

from . import jsonpath, structural
from .errors import Cause
from .kinds import Column, Kind
from .schemas import whole
from .values import Json, Object, age, dig, now


def causes(crd: Object) -> Iterator[Cause]:
    """What is wrong with a definition, beyond its shape."""
    spec = crd["spec"]
    expected = f"{spec['names']['plural']}.{spec['group']}"
    if crd["metadata"].get("name") != expected:
        yield Cause(
            "FieldValueInvalid", "metadata.name", f'Invalid value: must be spec.names.plural+"."+spec.group: {expected}'
        )
    if sum(bool(version.get("storage")) for version in spec["versions"]) != 1:
        yield Cause(
            "FieldValueInvalid",
            "spec.versions",
            "Invalid value: must have exactly one version marked as storage version",
        )
    for index, version in enumerate(spec["versions"]):
        where = f"spec.versions[{index}]"
        schema = dig(version, "schema", "openAPIV3Schema")
        if schema is None:
            yield Cause("FieldValueRequired", f"{where}.schema.openAPIV3Schema", "Required value: schemas are required")
        else:
            yield from structural.causes(schema, f"{where}.schema.openAPIV3Schema")
        for number, column in enumerate(version.get("additionalPrinterColumns", ())):
            try:
                jsonpath.compiled(column["jsonPath"])
            except ValueError as error:
                where = f"{where}.additionalPrinterColumns[{number}].jsonPath"
                yield Cause("FieldValueInvalid", where, f"Invalid value: {error}")


def established(crd: Object) -> Object:
    """The definition with the names it gets if it does not choose, and the status of one that is in use."""
    names = dict(crd["spec"]["names"])
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", f"{names['kind']}List")
    had = {c["type"]: c for c in dig(crd, "status", "conditions") or ()}
    status = {
        "acceptedNames": names,
        "conditions": [
            _condition(had, "NamesAccepted", "NoConflicts", "no conflicts found"),
            _condition(had, "Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
        "storedVersions": [version["name"] for version in crd["spec"]["versions"] if version.get("storage")],
    }
    spec = {"conversion": {"strategy": "None"}, **crd["spec"], "names": names}
    return {**crd, "spec": spec, "status": status}


def _condition(had: dict[str, Object], type_: str, reason: str, message: str) -> Object:
    since = dig(had, type_, "lastTransitionTime") or now()
    return {"type": type_, "status": "True", "reason": reason, "message": message, "lastTransitionTime": since}


def kinds_of(crd: Object) -> list[Kind]:
    """The served versions of what a definition defines, the preferred one first."""
    spec = crd["spec"]
    names = spec["names"]
    return [
        Kind(
            group=spec["group"],
            version=version["name"],
            plural=names["plural"],
            singular=names.get("singular") or names["kind"].lower(),
            kind=names["kind"],
            namespaced=spec["scope"] == "Namespaced",
            schema=whole(version["schema"]["openAPIV3Schema"]),
            short_names=tuple(names.get("shortNames", ())),
            categories=tuple(names.get("categories", ())),
            columns=columns_of(version),
            selectable=tuple(field["jsonPath"].lstrip(".") for field in version.get("selectableFields", ())),
            has_status="status" in version.get("subresources", {}),
            custom=True,
        )
        for version in sorted(spec["versions"], key=lambda v: not v.get("storage"))
        if version.get("served")
    ]


def columns_of(version: Object) -> tuple[Column, ...]:
    """Name, and the printer columns of a version; Age if it names none."""
    listed = version.get("additionalPrinterColumns") or [
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
    ]
    return NAME, *(
        Column(
            name=column["name"],
            cell=_Cell(column["jsonPath"], column["type"]),
            type=column["type"],
            priority=column.get("priority", 0),
            format=column.get("format", ""),
            description=column.get("description", ""),
        )
        for column in listed
    )


class _Cell:
    """Finds the cell of a printer column in an object."""

    def __init__(self, path: str, type_: str) -> None:
        self._path = path
        self._type = type_

    def __call__(self, obj: Object) -> Json:
        found = jsonpath.first(self._path, obj)
        if self._type == "date":
            return None if found is None else age(found)
        if isinstance(found, dict | list) or (self._type == "string" and found is not None):
            return _as_text(found)
        return found if self._fits(found) else None

    def _fits(self, found: Json) -> bool:
        wanted = {"integer": int, "number": int | float, "boolean": bool}.get(self._type, object)
        return isinstance(found, wanted) and (self._type == "boolean" or not isinstance(found, bool))


def _as_text(found: Json) -> str:
    match found:
        case bool():
            return "true" if found else "false"
        case dict():
            return "map[" + " ".join(f"{key}:{_as_text(value)}" for key, value in sorted(found.items())) + "]"
        case list():
            return "[" + " ".join(map(_as_text, found)) + "]"
    return str(found)


NAME = Column("Name", lambda obj: dig(obj, "metadata", "name"), format="name", description="The name of the object.")
