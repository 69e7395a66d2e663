"""The API without HTTP: everything that is kept, and the rules by which it is read and written."""

from __future__ import annotations

from collections.abc import Iterable

from .builtin import BUILT_IN, CRD_KIND, NAMESPACE_KIND
from .catalog import Catalog
from .deletion import Deletion
from .reading import Reading
from .store import Store
from .values import Object
from .writing import WriteOptions, Writing


NAMESPACES = ("default", "kube-system")


class Cluster:
    """The parts, wired, with the namespaces that are there from the start."""

    def __init__(self, crds: Iterable[Object] = ()) -> None:
        self.store = Store()
        self.catalog = Catalog(BUILT_IN)
        self.deletion = Deletion(self.store, self.catalog)
        self.reading = Reading(self.store)
        self.writing = Writing(self.store, self.catalog, self.deletion)
        us = WriteOptions(manager="apiserver")
        for name in NAMESPACES:
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self.writing.create(NAMESPACE_KIND, "", namespace, us)
        for crd in crds:
            self.writing.create(CRD_KIND, "", crd, us)
