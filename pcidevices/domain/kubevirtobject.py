"""KubeVirt's own object as the API server has it, as far as it is read here."""

from __future__ import annotations

from typing import Any

import msgspec

from pcidevices.api.v1beta1 import GROUP

from .permitted import KubeVirt, Ours


ANNOTATION = f"{GROUP}/permitted"
"""Which of its entries this program added."""

_GATE = "HostDevices"
_MANAGED_BY, _OPERATOR = "app.kubernetes.io/managed-by", "hco-operator"


class _Owner(msgspec.Struct):
    kind: str = ""


class _Metadata(msgspec.Struct, rename="camel"):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    annotations: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    owner_references: tuple[_Owner, ...] | None = None
    deletion_timestamp: str | None = None


class _Developer(msgspec.Struct, rename="camel"):
    feature_gates: tuple[str, ...] | None = None


class _Configuration(msgspec.Struct, rename="camel"):
    developer_configuration: _Developer | None = None
    permitted_host_devices: dict[str, Any] | None = None


class _Spec(msgspec.Struct):
    configuration: _Configuration | None = None


class KubeVirtObject(msgspec.Struct):
    """To be decoded from JSON."""

    metadata: _Metadata
    spec: _Spec | None = None

    @property
    def value(self) -> KubeVirt | None:
        """What it says; None of one that is being deleted."""
        meta = self.metadata
        if meta.deletion_timestamp is not None:
            return None
        configuration = (self.spec and self.spec.configuration) or _Configuration()
        developer = configuration.developer_configuration or _Developer()
        return KubeVirt(
            namespace=meta.namespace,
            name=meta.name,
            uid=meta.uid,
            resource_version=meta.resource_version,
            listed=configuration.permitted_host_devices,
            ours=Ours.parse((meta.annotations or {}).get(ANNOTATION)),
            has_gate=_GATE in (developer.feature_gates or ()),
            is_managed=self._is_managed,
        )

    @property
    def _is_managed(self) -> bool:
        is_owned = any(owner.kind == "HyperConverged" for owner in self.metadata.owner_references or ())
        return is_owned or (self.metadata.labels or {}).get(_MANAGED_BY) == _OPERATOR
