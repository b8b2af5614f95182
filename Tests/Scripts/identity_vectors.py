#!/usr/bin/env python3
"""Computes the test vectors of node certificates, revocation lists and the handshake that uses them.

A second implementation, written from WireFormat.md ("Node certificates", "Revocation lists") and Handshake.md, with
Python's `cryptography`. It prints the vectors as WireFormat.md has them, between its lines ```identity-vectors and ```.

    identity_vectors.py                 prints the vectors
    identity_vectors.py --check FILE    exit status 1 if FILE has others

`wire_vectors.py` builds on the handshake computed here.
"""

import hashlib
import hmac
import struct
import sys
import types

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ROLES = {"entrypoint": 1, "set": 2, "edge": 3, "observer": 4, "name-server": 5}
# NodeID(name:) of ReflectorModel, as WireFormat.md states them.
NODE_IDS = {"edge-1": "80137cd28fab6083", "set-1": "0a9990dbeda48ea1"}
CHILD_TOKEN = 0x0102030405060708
PARENT_TOKEN = 0x1112131415161718


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


def keys():
    """Fixed private keys instead of random ones, and the certificates that the operator signs with his."""
    operator = Ed25519PrivateKey.from_private_bytes(octets(0x00, 32))
    edge = Ed25519PrivateKey.from_private_bytes(octets(0x20, 32))
    parent = Ed25519PrivateKey.from_private_bytes(octets(0x40, 32))
    start, end, zone = 1_700_000_000, 1_731_536_000, "reflector.net"
    limits = {1: 10_000_000_000, 3: 1000}
    return types.SimpleNamespace(
        operator=operator, edge=edge, parent=parent,
        edge_certificate=certificate(
            operator, 0x0102030405060708, start, end, "edge", 1283, zone, "edge-1", {2: 2000}, edge),
        set_certificate=certificate(operator, 9, start, end, "set", "nyc", zone, "set-1", limits, parent),
        entrypoint_certificate=certificate(operator, 10, start, end, "entrypoint", None, zone, "ep-bos", {}, edge),
        revocations=revocation_list(operator, zone, 7, start + 100, [0x1122334455667788, 9]))


def handshake(k):
    """The whole handshake of Handshake.md, from both private sides at once."""
    h = types.SimpleNamespace(nonce=octets(0xC0, 16))
    epoch_key = X25519PrivateKey.from_private_bytes(octets(0x60, 32))
    child_key = X25519PrivateKey.from_private_bytes(octets(0x80, 32))
    parent_key = X25519PrivateKey.from_private_bytes(octets(0xA0, 32))
    h.epoch_key, h.child_key, h.parent_key = public(epoch_key), public(child_key), public(parent_key)

    milliseconds = struct.pack(">Q", 1_700_000_000_000)
    address = bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 1]) + struct.pack(">H", 4900)
    mac = hmac.new(octets(0xD0, 32), milliseconds + address + h.nonce, hashlib.sha256).digest()[:16]
    h.cookie = milliseconds + mac

    h.t1 = sha256(signed("reflector transcript open 1", h.nonce + h.cookie + h.epoch_key + h.child_key))
    first = child_key.exchange(epoch_key.public_key())
    h.k1 = hkdf(first, h.t1, "reflector open key 1")
    request = struct.pack(">QQ", CHILD_TOKEN, 0)
    h.sealed_open = seal(h.k1, h.t1, identity(
        "reflector handshake child 1", h.t1, k.edge_certificate, k.edge, "set-1", request))

    h.t2 = sha256(signed("reflector transcript opened 1", h.t1 + sha256(h.sealed_open) + h.parent_key))
    second = parent_key.exchange(child_key.public_key())
    h.k2 = hkdf(first + second, h.t2, "reflector opened key 1")
    grant = struct.pack(">QIHH", PARENT_TOKEN, 6000, 1, 0)
    h.sealed_opened = seal(h.k2, h.t2, identity(
        "reflector handshake parent 1", h.t2, k.set_certificate, k.parent, "edge-1", grant))
    h.t3 = sha256(signed("reflector transcript link 1", h.t2 + sha256(h.sealed_opened)))

    h.refused_key = hkdf(first, h.t1, "reflector refused key 1")
    h.refused_mac = hmac.new(h.refused_key, h.nonce + bytes([3]), hashlib.sha256).digest()[:16]
    h.up = hkdf(first + second, h.t3, "reflector link child to parent 1")
    h.down = hkdf(first + second, h.t3, "reflector link parent to child 1")
    h.sealing = hkdf(first + second, h.t3, "reflector link sealing parent to child 1")
    return h


def vectors():
    k = keys()
    h = handshake(k)
    yield "operator key", public(k.operator)
    yield "operator key id", key_id(k.operator)
    yield "certificate, edge", k.edge_certificate
    yield "certificate, set", k.set_certificate
    yield "certificate, entrypoint", k.entrypoint_certificate
    yield "revocation list", k.revocations
    yield "cookie", h.cookie
    yield "epoch key", h.epoch_key
    yield "child key", h.child_key
    yield "transcript, open", h.t1
    yield "K1", h.k1
    yield "Open, sealed", h.sealed_open
    yield "parent key", h.parent_key
    yield "transcript, opened", h.t2
    yield "K2", h.k2
    yield "Opened, sealed", h.sealed_opened
    yield "transcript", h.t3
    yield "link, child to parent", h.up
    yield "link, parent to child", h.down
    yield "link, sealing", h.sealing
    yield "refused key", h.refused_key
    yield "Refused, MAC", h.refused_mac


def block(vectors):
    lines = []
    for title, value in vectors:
        lines.append(title + ":")
        text = value.hex()
        lines += ["  " + text[at:at + 96] for at in range(0, len(text), 96)]
    return "\n".join(lines) + "\n"


def main(fence, vectors, usage):
    expected = block(vectors)
    if len(sys.argv) == 1:
        print(expected, end="")
    elif len(sys.argv) == 3 and sys.argv[1] == "--check":
        with open(sys.argv[2], encoding="utf-8") as file:
            parts = file.read().split("```" + fence + "\n")
        if len(parts) != 2 or parts[1].split("```")[0] != expected:
            sys.exit(f"{sys.argv[2]}: other {fence} than computed")
    else:
        sys.exit(usage)


if __name__ == "__main__":
    main("identity-vectors", vectors(), __doc__)
