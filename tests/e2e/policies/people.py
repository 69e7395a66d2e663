"""What people may do by the roles that they have."""

from __future__ import annotations

from .rows import MINE, MY_CLAIM, READY, YOUR_CLAIM, YOURS, Row, annotation, finalizers, metadata, owned_by
from .things import CLAIMS, DEVICES, GIVE_BACK, GONE, a_claim, a_device


_ROLE = "cannot"
_NO_CLAIM = "has no right to claim"
_LOOK = "only the annotation devices.harvesterhci.io/look may be changed"
_FINALIZER = "belongs to the agent"
_PROTECTED = {"metadata": {"name": "p", "annotations": {"devices.harvesterhci.io/allow-protected": "0000:04:00.0"}}}
_STATUS = {"status": {"vendorId": "8086"}}
_COLLECTOR = "garbage collector"

ALLOWED = (
    Row("lists devices", "vera", "get", DEVICES),
    Row("lists claims", "vera", "get", CLAIMS),
    Row("reads a claim", "vera", "get", MY_CLAIM),
    Row("claims her device", "alice", "create", CLAIMS, a_claim("a", userName="alice")),
    Row("claims without a name", "alice", "create", CLAIMS, a_claim("a")),
    Row("claims by the short address", "alice", "create", CLAIMS, a_claim("a", address="04:00.0")),
    Row("claims in capitals", "alice", "create", CLAIMS, a_claim("a", address="10000:04:00.0")),
    Row("claims on a node to come", "alice", "create", CLAIMS, a_claim("a", node=GONE)),
    Row("gives a reason", "alice", "patch", MY_CLAIM, annotation("reason", "training")),
    Row("deletes her claim", "alice", "delete", MY_CLAIM),
    Row("asks for a look", "alice", "patch", YOURS, annotation("look", "f00d")),
    Row("asks for none", "alice", "patch", MINE, annotation("look", None)),
    Row("claims any device", "dora", "create", CLAIMS, a_claim("d", node="juno", userName="dora")),
    Row("claims for bob", "dora", "create", CLAIMS, a_claim("d", node="juno", userName="bob")),
    Row("claims any device", "carol", "create", CLAIMS, a_claim("c", node="juno", userName="carol")),
    Row("claims what the host uses", "carol", "create", CLAIMS, a_claim("p") | _PROTECTED),
    Row("allows it later", "carol", "patch", MY_CLAIM, annotation("allow-protected", "0000:04:00.0")),
    Row("lets go by hand", "carol", "patch", MY_CLAIM, metadata(finalizers=None)),
    Row("deletes any claim", "carol", "delete", YOUR_CLAIM),
    Row("deletes all claims", "carol", "delete", f"{CLAIMS}?dryRun=All"),
    Row("deletes a device's object", "carol", "delete", MINE),
    Row("deletes those of a rehearsal", "carol", "delete", f"{DEVICES}?labelSelector=x"),
    Row("collects a claim", _COLLECTOR, "delete", MY_CLAIM),
    Row("collects a device", _COLLECTOR, "delete", MINE),
    Row("lets a device be orphaned", _COLLECTOR, "patch", MINE, finalizers("orphan")),
    Row("makes a device", "oscar", "create", DEVICES, a_device("janus-000006000", node="janus")),
    Row("writes its status", "oscar", "patch", f"{MINE}/status", {"status": {"nodeName": "janus"}}),
    Row("holds a claim", "oscar", "patch", MY_CLAIM, finalizers(GIVE_BACK)),
    Row("writes a claim's status", "oscar", "patch", f"{MY_CLAIM}/status", READY),
    Row("lets go of a claim", "oscar", "patch", f"{CLAIMS}/janus-going", metadata(finalizers=None)),
    Row("stands in for an agent", "root", "create", DEVICES, a_device("janus-000006000", node="janus")),
    Row("writes a status", "root", "patch", f"{MINE}/status", {"status": {"nodeName": "janus"}}),
    Row("writes a claim's status", "root", "patch", f"{MY_CLAIM}/status", READY),
    Row("claims for anybody", "root", "create", CLAIMS, a_claim("r", userName="alice")),
    Row("lets go of anything", "root", "patch", f"{CLAIMS}/juno-going", metadata(finalizers=None)),
)

REFUSED = (
    Row("claims", "vera", "create", CLAIMS, a_claim("v"), _ROLE),
    Row("asks for a look", "vera", "patch", MINE, annotation("look", "1"), _ROLE),
    Row("deletes a claim", "vera", "delete", MY_CLAIM, why=_ROLE),
    Row("claims", "edna", "create", CLAIMS, a_claim("e"), _ROLE),
    Row("claims another device", "alice", "create", CLAIMS, a_claim("a", address="0000:06:00.0"), _NO_CLAIM),
    Row("claims on another node", "alice", "create", CLAIMS, a_claim("janus-000004000", node="juno"), _NO_CLAIM),
    Row("claims another by the short address", "alice", "create", CLAIMS, a_claim("a", address="06:00.0"), _NO_CLAIM),
    Row("claims in another domain", "alice", "create", CLAIMS, a_claim("a", address="0001:04:00.0"), _NO_CLAIM),
    Row("claims a node that makes it fit", "alice", "create", CLAIMS, a_claim("a", node="janus-0000"), _NO_CLAIM),
    Row("claims for bob", "alice", "create", CLAIMS, a_claim("a", userName="bob"), "or absent: to claim for bob"),
    Row("claims for carol", "dora", "create", CLAIMS, a_claim("d", userName="carol"), "or absent: to claim for carol"),
    Row("claims what the host uses", "alice", "create", CLAIMS, a_claim("p") | _PROTECTED, "although the host uses it"),
    Row(
        *("allows it later", "alice", "patch", MY_CLAIM, annotation("allow-protected", "0000:04:00.0")),
        "although the host uses it",
    ),
    Row("takes the finalizer off", "alice", "patch", MY_CLAIM, metadata(finalizers=None), _FINALIZER),
    Row("takes it off another's", "bob", "patch", YOUR_CLAIM, metadata(finalizers=None), _NO_CLAIM),
    Row("takes it off when going", "dora", "patch", f"{CLAIMS}/juno-going", metadata(finalizers=None), _FINALIZER),
    Row("takes the ancestor's off", "dora", "patch", f"{CLAIMS}/janus-ancestor", metadata(finalizers=None), _FINALIZER),
    Row("puts it on", "alice", "create", CLAIMS, a_claim("a", held=True), _FINALIZER),
    Row("changes what is claimed", "alice", "patch", MY_CLAIM, {"spec": {"address": "05:00.0"}}, "cannot be changed"),
    Row("changes who claims", "carol", "patch", MY_CLAIM, {"spec": {"userName": "bob"}}, "cannot be changed"),
    Row("deletes another's claim", "alice", "delete", YOUR_CLAIM, why=_NO_CLAIM),
    Row("annotates another's claim", "alice", "patch", YOUR_CLAIM, annotation("reason", "x"), _NO_CLAIM),
    Row("deletes all claims", "alice", "delete", CLAIMS, why=_ROLE),
    Row("writes a status", "alice", "patch", f"{MY_CLAIM}/status", READY, _ROLE),
    Row("writes a status", "carol", "patch", f"{MY_CLAIM}/status", READY, _ROLE),
    Row("claims with a role alone", "bob", "create", CLAIMS, a_claim("b", userName="bob"), _NO_CLAIM),
    Row("claims", "mallory", "create", CLAIMS, a_claim("m", userName="mallory"), _NO_CLAIM),
    Row("deletes all claims", "mallory", "delete", CLAIMS, why=_NO_CLAIM),
    Row("writes a claim's status", "mallory", "patch", f"{MY_CLAIM}/status", READY, "writes its status"),
    Row("takes the finalizer off", "mallory", "patch", MY_CLAIM, metadata(finalizers=None), _NO_CLAIM),
    Row("makes a device", "mallory", "create", DEVICES, a_device("janus-000009000", node="janus"), "only the agent"),
    Row(
        "writes a device's status",
        "mallory",
        "patch",
        f"{MINE}/status",
        {"status": {"vendorId": "1"}},
        "only the agent",
    ),
    Row("labels a device", "alice", "patch", MINE, metadata(labels={"nodename": "juno"}), _LOOK),
    Row("owns a device", "alice", "patch", MINE, owned_by("Node", "janus"), _LOOK),
    Row("holds a device", "alice", "patch", MINE, finalizers("example.org/mine"), _LOOK),
    Row("annotates a device", "alice", "patch", MINE, annotation("other", "x"), _LOOK),
    Row("annotates it with nothing", "carol", "patch", MINE, annotation("other", ""), _LOOK),
    Row("writes a long look", "alice", "patch", MINE, annotation("look", "x" * 129), "128 characters"),
    Row("deletes a device", "alice", "delete", MINE, why=_ROLE),
    Row("makes a device", "carol", "create", DEVICES, a_device("janus-000009000", node="janus"), _ROLE),
)
