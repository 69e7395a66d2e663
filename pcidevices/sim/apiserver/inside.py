"""Direct access for tests and the demo, without HTTP and without its restrictions."""

from __future__ import annotations

from .cluster import Cluster
from .deletion import DeleteOptions
from .kinds import Kind
from .patches import merged
from .reading import ListOptions
from .selectors import label_selector
from .store import Key
from .values import Json, Object, dig
from .writing import WHOLE, WriteOptions


_US = WriteOptions(manager="inside", subresource=WHOLE, field_validation="Strict")


class Inside:
    """
    What a server keeps, at hand.

    Kinds are named by plural, and group if they have one: ``nodes``, ``widgets.example.com``. Writes reach the status
    too. `ApiError` is raised where HTTP would answer with an error.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def apply(self, obj: Object) -> Object:
        """Create the object, or put it in the place of the one that is there."""
        kind = self.cluster.catalog.of_object(obj["apiVersion"], obj["kind"])
        namespace = dig(obj, "metadata", "namespace") or ("default" if kind.namespaced else "")
        key = Key(namespace, obj["metadata"]["name"])
        if self.cluster.store.get(kind.place, key):
            return self.cluster.writing.update(kind, key, lambda old: _in_place_of(old, obj), _US).obj
        return self.cluster.writing.create(kind, namespace, obj, _US).obj

    def get(self, kind: str, name: str, namespace: str = "") -> Object:
        """An object as clients see it."""
        found, key = self._find(kind, name, namespace)
        return found.shown(self.cluster.reading.get(found, key))

    def list(self, kind: str, namespace: str = "", labels: str = "") -> list[Object]:
        """All objects of a kind (in a namespace, with these labels), in the order of their names."""
        found = self.cluster.catalog.named(kind)
        page = self.cluster.reading.page(found, namespace, ListOptions(selector=label_selector(labels)))
        return [found.shown(obj) for obj in page.items]

    def patch(self, kind: str, name: str, change: Json, namespace: str = "") -> Object:
        """A JSON merge patch of the whole object, status and all."""
        found, key = self._find(kind, name, namespace)
        return self.cluster.writing.update(found, key, lambda old: merged(old, change), _US).obj

    def delete(self, kind: str, name: str, namespace: str = "") -> None:
        """Ask an object to go; finalizers keep it."""
        self.cluster.deletion.delete(*self._find(kind, name, namespace), DeleteOptions())

    def _find(self, kind: str, name: str, namespace: str) -> tuple[Kind, Key]:
        found = self.cluster.catalog.named(kind)
        return found, Key(namespace or "default" if found.namespaced else "", name)


def _in_place_of(old: Object, obj: Object) -> Object:
    kept = {k: v for k, v in old["metadata"].items() if k in ("resourceVersion", "managedFields")}
    return {**obj, "metadata": {**kept, **obj["metadata"]}}
