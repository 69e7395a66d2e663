"""Keys and certificates of a cluster that lives for a test.

Written out here, because nothing else makes them everywhere: openssl and Go may be missing when the programs
are given, and the certificate kube-apiserver makes for itself knows one address and fails the strict checks
of Python 3.13. Made to be read: a key that must stay secret from somebody who can measure time needs a real
library.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import secrets

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterable

    Point = tuple[int, int] | None

# The curve P-256: its field, its order, its generator.
FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GENERATOR = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
VALID = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Key:
    """A private key and its public half."""

    secret: int
    public: bytes

    def private_pem(self) -> str:
        """The key as kube-apiserver reads it."""
        return pem(
            "EC PRIVATE KEY",
            sequence(
                integer(1),
                der(0x04, self.secret.to_bytes(32, "big")),
                der(0xA0, P256),
                der(0xA1, bits(self.public)),
            ),
        )

    def public_info(self) -> bytes:
        """The public half with the name of its algorithm."""
        return sequence(sequence(PUBLIC_KEY, P256), bits(self.public))

    def public_pem(self) -> str:
        """What checks the tokens this key has signed."""
        return pem("PUBLIC KEY", self.public_info())

    def identifier(self) -> bytes:
        """By what certificates name this key."""
        return hashlib.sha1(self.public).digest()

    def signature(self, message: bytes) -> bytes:
        """ECDSA with SHA-256."""
        digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
        while True:
            once = secrets.randbelow(ORDER - 1) + 1
            point = times(once, GENERATOR)
            r = point[0] % ORDER if point else 0
            s = pow(once, -1, ORDER) * (digest + r * self.secret) % ORDER
            if r and s:
                return sequence(integer(r), integer(s))


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs. Nobody keeps its key: a cluster's certificates are all made at once."""

    name: str
    key: Key

    def certificate(self) -> str:
        """What clients trust."""
        return self._signed(
            self.name,
            self.key,
            extension(BASIC_CONSTRAINTS, sequence(der(0x01, b"\xff")), critical=True),
            extension(KEY_USAGE, der(0x03, b"\x01\x06"), critical=True),  # signs certificates
        )

    def serving_certificate(self, name: str, key: Key, hosts: Iterable[str]) -> str:
        """What a server shows to clients that reach it by one of these names or addresses."""
        return self._signed(
            name,
            key,
            extension(BASIC_CONSTRAINTS, sequence(), critical=True),
            extension(KEY_USAGE, der(0x03, b"\x07\x80"), critical=True),  # signs handshakes
            extension(EXTENDED_KEY_USAGE, sequence(SERVER_AUTH)),
            extension(ALTERNATIVE_NAMES, sequence(*(alternative_name(host) for host in hosts))),
        )

    def _signed(self, name: str, key: Key, *extensions: bytes) -> str:
        now = datetime.now(UTC)
        identifiers = (
            extension(SUBJECT_KEY, der(0x04, key.identifier())),
            extension(AUTHORITY_KEY, sequence(der(0x80, self.key.identifier()))),
        )
        content = sequence(
            der(0xA0, integer(2)),  # version 3
            integer(secrets.randbits(127) | 1 << 126),
            sequence(ECDSA_SHA256),
            common_name(self.name),
            sequence(moment(now - timedelta(days=1)), moment(now + VALID)),  # a guest's clock may be late
            common_name(name),
            key.public_info(),
            der(0xA3, sequence(*extensions, *identifiers)),
        )
        signed = sequence(content, sequence(ECDSA_SHA256), bits(self.key.signature(content)))
        return pem("CERTIFICATE", signed)


def new_key() -> Key:
    """A random key."""
    secret = secrets.randbelow(ORDER - 1) + 1
    x, y = times(secret, GENERATOR) or (0, 0)
    return Key(secret, b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big"))


def plus(a: Point, b: Point) -> Point:
    """The sum of two points of the curve; None is its zero."""
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % FIELD == 0:
            return None
        slope = 3 * (a[0] * a[0] - 1) * pow(2 * a[1], -1, FIELD)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, FIELD)
    x = (slope * slope - a[0] - b[0]) % FIELD
    return x, (slope * (a[0] - x) - a[1]) % FIELD


def times(factor: int, point: Point) -> Point:
    """A point, added to itself that often."""
    total = None
    while factor:
        if factor & 1:
            total = plus(total, point)
        point, factor = plus(point, point), factor >> 1
    return total


# DER, as far as certificates need it.


def der(tag: int, content: bytes) -> bytes:
    """One value: what it is, how long, itself."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def sequence(*parts: bytes) -> bytes:
    """Values, in order."""
    return der(0x30, b"".join(parts))


def integer(value: int) -> bytes:
    """A number that is not negative."""
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def bits(content: bytes) -> bytes:
    """A bit string of whole bytes."""
    return der(0x03, b"\0" + content)


def oid(name: str) -> bytes:
    """The name of a kind of thing."""
    first, second, *rest = map(int, name.split("."))
    content = [first * 40 + second]
    for number in rest:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        content += reversed(groups)
    return der(0x06, bytes(content))


def moment(when: datetime) -> bytes:
    """A time before 2050."""
    return der(0x17, when.strftime("%y%m%d%H%M%SZ").encode())


def common_name(name: str) -> bytes:
    """A subject or an issuer."""
    return sequence(der(0x31, sequence(COMMON_NAME, der(0x0C, name.encode()))))


def extension(kind: bytes, content: bytes, *, critical: bool = False) -> bytes:
    """One fact of a certificate; a reader that does not know a critical one refuses the certificate."""
    return sequence(kind, der(0x01, b"\xff") if critical else b"", der(0x04, content))


def alternative_name(host: str) -> bytes:
    """An address or a name that a server answers to."""
    try:
        return der(0x87, ipaddress.ip_address(host).packed)
    except ValueError:
        return der(0x82, host.encode("idna"))


def pem(kind: str, content: bytes) -> str:
    """The same in letters."""
    text = base64.b64encode(content).decode()
    lines = (text[i : i + 64] for i in range(0, len(text), 64))
    return "\n".join((f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""))


P256 = oid("1.2.840.10045.3.1.7")
PUBLIC_KEY = oid("1.2.840.10045.2.1")
ECDSA_SHA256 = oid("1.2.840.10045.4.3.2")
COMMON_NAME = oid("2.5.4.3")
SUBJECT_KEY = oid("2.5.29.14")
KEY_USAGE = oid("2.5.29.15")
ALTERNATIVE_NAMES = oid("2.5.29.17")
BASIC_CONSTRAINTS = oid("2.5.29.19")
AUTHORITY_KEY = oid("2.5.29.35")
EXTENDED_KEY_USAGE = oid("2.5.29.37")
SERVER_AUTH = oid("1.3.6.1.5.5.7.3.1")
