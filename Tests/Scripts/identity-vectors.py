#!/usr/bin/env python3
"""Computes the test vectors of node certificates, revocation lists and the handshake that uses them.

A second implementation, written from WireFormat.md ("Node certificates", "Revocation lists") and Handshake.md, with
Python's `cryptography`. It prints the vectors as WireFormat.md has them, between its lines ```identity-vectors and ```.

    identity-vectors.py                 prints the vectors
    identity-vectors.py --check FILE    exit status 1 if FILE has others
"""

import hashlib
import hmac
import struct
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ROLES = {"entrypoint": 1, "set": 2, "edge": 3, "observer": 4, "name-server": 5}
# NodeID(name:) of ReflectorModel, as WireFormat.md's other appendix states them.
NODE_IDS = {"edge-1": "80137cd28fab6083", "set-1": "0a9990dbeda48ea1"}


def octets(first, count):
    return bytes(range(first, first + count))


def public(key):
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def sha256(data):
    return hashlib.sha256(data).digest()


def hkdf(material, salt, info):
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=info.encode()).derive(material)


def name(text):
    return bytes([len(text)]) + text.encode()


def seconds(value):
    return value.to_bytes(5, "big")


def signed(context, body):
    return context.encode() + b"\0" + body


def key_id(key):
    return sha256(public(key))[:8]


def certificate(operator, serial, not_before, not_after, role, region, zone, node, limits, key):
    body = bytes([1]) + key_id(operator) + struct.pack(">Q", serial) + seconds(not_before) + seconds(not_after)
    body += bytes([ROLES[role]])
    if region is None:
        body += bytes([0])
    elif isinstance(region, int):
        body += bytes([1]) + struct.pack(">I", region)
    else:
        body += bytes([2]) + name(region)
    body += name(zone) + name(node)
    entries = b"".join(
        bytes([kind, 8 if kind == 1 else 4]) + value.to_bytes(8 if kind == 1 else 4, "big")
        for kind, value in sorted(limits.items()))
    body += bytes([len(entries)]) + entries + public(key)
    return body + operator.sign(signed("reflector node certificate 1", body))


def revocation_list(operator, zone, sequence, issued_at, serials):
    body = bytes([1]) + name(zone) + struct.pack(">Q", sequence) + seconds(issued_at) + key_id(operator)
    body += struct.pack(">I", len(serials)) + b"".join(struct.pack(">Q", serial) for serial in sorted(serials))
    return body + operator.sign(signed("reflector revocation list 1", body))


def identity(context, transcript, cert, key, intended, payload):
    to = bytes.fromhex(NODE_IDS[intended])
    signature = key.sign(signed(context, transcript + sha256(cert) + to + payload))
    return struct.pack(">H", len(cert)) + cert + signature + to + struct.pack(">H", len(payload)) + payload


def seal(key, transcript, plaintext):
    return AESGCM(key).encrypt(bytes(12), plaintext, transcript)


def vectors():
    operator = Ed25519PrivateKey.from_private_bytes(octets(0x00, 32))
    edge = Ed25519PrivateKey.from_private_bytes(octets(0x20, 32))
    parent = Ed25519PrivateKey.from_private_bytes(octets(0x40, 32))
    epoch_key = X25519PrivateKey.from_private_bytes(octets(0x60, 32))
    child_key = X25519PrivateKey.from_private_bytes(octets(0x80, 32))
    parent_key = X25519PrivateKey.from_private_bytes(octets(0xA0, 32))
    nonce = octets(0xC0, 16)
    cookie_secret = octets(0xD0, 32)
    milliseconds = struct.pack(">Q", 1_700_000_000_000)
    address = bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 1]) + struct.pack(">H", 4900)
    start, end = 1_700_000_000, 1_731_536_000

    edge_certificate = certificate(
        operator, 0x0102030405060708, start, end, "edge", 1283, "reflector.net", "edge-1", {2: 2000}, edge)
    set_certificate = certificate(
        operator, 9, start, end, "set", "nyc", "reflector.net", "set-1", {1: 10_000_000_000, 3: 1000}, parent)
    entrypoint_certificate = certificate(
        operator, 10, start, end, "entrypoint", None, "reflector.net", "ep-bos", {}, edge)

    mac = hmac.new(cookie_secret, milliseconds + address + nonce, hashlib.sha256).digest()[:16]
    cookie = milliseconds + mac
    t1 = sha256(signed(
        "reflector transcript open 1", nonce + cookie + public(epoch_key) + public(child_key)))
    first = child_key.exchange(epoch_key.public_key())
    k1 = hkdf(first, t1, "reflector open key 1")
    sealed_open = seal(k1, t1, identity(
        "reflector handshake child 1", t1, edge_certificate, edge, "set-1", octets(0x01, 8)))
    t2 = sha256(signed("reflector transcript opened 1", t1 + sha256(sealed_open) + public(parent_key)))
    second = parent_key.exchange(child_key.public_key())
    k2 = hkdf(first + second, t2, "reflector opened key 1")
    sealed_opened = seal(k2, t2, identity(
        "reflector handshake parent 1", t2, set_certificate, parent, "edge-1", octets(0x11, 8)))
    t3 = sha256(signed("reflector transcript link 1", t2 + sha256(sealed_opened)))

    yield "operator key", public(operator)
    yield "operator key id", key_id(operator)
    yield "certificate, edge", edge_certificate
    yield "certificate, set", set_certificate
    yield "certificate, entrypoint", entrypoint_certificate
    yield "revocation list", revocation_list(operator, "reflector.net", 7, start + 100, [0x1122334455667788, 9])
    yield "cookie", cookie
    yield "epoch key", public(epoch_key)
    yield "child key", public(child_key)
    yield "Open, sealed", sealed_open
    yield "parent key", public(parent_key)
    yield "Opened, sealed", sealed_opened
    yield "transcript", t3
    yield "link, child to parent", hkdf(first + second, t3, "reflector link child to parent 1")
    yield "link, parent to child", hkdf(first + second, t3, "reflector link parent to child 1")
    yield "link, sealing", hkdf(first + second, t3, "reflector link sealing parent to child 1")


def block():
    lines = []
    for title, value in vectors():
        lines.append(title + ":")
        text = value.hex()
        lines += ["  " + text[at:at + 96] for at in range(0, len(text), 96)]
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) == 1:
        print(block(), end="")
    elif len(sys.argv) == 3 and sys.argv[1] == "--check":
        with open(sys.argv[2], encoding="utf-8") as file:
            parts = file.read().split("```identity-vectors\n")
        if len(parts) != 2 or parts[1].split("```")[0] != block():
            sys.exit(f"{sys.argv[2]}: other identity vectors than computed")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
