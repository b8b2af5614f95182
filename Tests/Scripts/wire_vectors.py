#!/usr/bin/env python3
"""Computes the test vectors of the messages in WireFormat.md: the handshake as datagrams, a stream key on its way to a
child, data packets, and every control message.

A second implementation, written from WireFormat.md and Handshake.md, with Python's `cryptography`. It prints the vectors
as WireFormat.md has them, between its lines ```vectors and ```.

    wire_vectors.py                 prints the vectors
    wire_vectors.py --check FILE    exit status 1 if FILE has others
"""

import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from identity_vectors import CHILD_TOKEN, PARENT_TOKEN, handshake, keys, main, name, octets

VERSION = 3
WORD = (1 << 64) - 1
STREAM, PORTSET, SUBSCRIPTION = "live/news", 4096, 7
INCARNATION = bytes.fromhex("00112233445566778899aabbccddeeff")
OTHER_STREAM, OTHER_PORTSET = "live/sport", 17


# Fixed hashes: WireFormat.md, "Fixed hashes".

def mix(x):
    x ^= x >> 33
    x = x * 0xFF51AFD7ED558CCD & WORD
    x ^= x >> 33
    x = x * 0xC4CEB9FE1A85EC53 & WORD
    return x ^ x >> 33


def combine(state, word):
    return mix(state * 0x9E3779B97F4A7C15 & WORD ^ mix(word))


def text_hash(text, purpose):
    state = 0xCBF29CE484222325 ^ mix(purpose)
    for byte in text.encode():
        state = (state ^ byte) * 0x100000001B3 & WORD
    return mix(state)


def node_id(text):
    return text_hash(text.lower(), 1)


def incarnation_tag(stream, source, incarnation):
    state = text_hash(stream, 3)
    for word in (source,) + struct.unpack(">QQ", incarnation):
        state = combine(state, word)
    return state


SOURCE = node_id("ep-bos")
TAG = incarnation_tag(STREAM, SOURCE, INCARNATION)
OTHER_TAG = incarnation_tag(OTHER_STREAM, SOURCE, INCARNATION)


# The messages of the handshake.

def start(kind, fourth=0):
    return bytes([kind, VERSION, 0, fourth])


def counted(data):
    return struct.pack(">H", len(data)) + data


def handshake_messages(h):
    yield "Hello", start(0x10) + h.nonce + bytes(56)
    yield "Cookie", start(0x11) + h.nonce + h.cookie + h.epoch_key
    yield "Open", start(0x12) + h.nonce + h.cookie + h.child_key + counted(h.sealed_open)
    yield "Opened", start(0x13) + h.nonce + h.parent_key + counted(h.sealed_opened)
    yield "Refused", start(0x14, 3) + h.nonce + h.refused_mac


# Streams.

def wrap(key, stream_key, nonce, tag):
    return struct.pack(">Q", nonce) + AESGCM(key).encrypt(
        bytes(4) + struct.pack(">Q", nonce), stream_key, struct.pack(">Q", tag))


DATA, FILLER, TWIN = 0, 1, 2


def twin_key(stream_key):
    return hmac.new(stream_key, b"reflector twin key 1", hashlib.sha256).digest()[:16]


def data(stream_key, kind, link_number, sequence, packet_kind, payload):
    header = struct.pack(">QQB", TAG, sequence, packet_kind)
    sealed = AESGCM(stream_key).encrypt(bytes(4) + struct.pack(">Q", sequence), payload, header)
    return struct.pack(">BBQI", kind, 0, CHILD_TOKEN, link_number) + header + sealed


# Control messages.

def control(key, token, counter, kind, body):
    message = struct.pack(">BBQQB", 0x20, 0, token, counter, kind) + body
    return message + hmac.new(key, message, hashlib.sha256).digest()[:16]


def subscribe(start_kind, tag, sequence, rate, silent, path):
    return (struct.pack(">IHBQQBHB", SUBSCRIPTION, PORTSET, start_kind, tag, sequence, rate, silent, len(path))
            + b"".join(struct.pack(">Q", node) for node in path) + name(STREAM))


ABLE, LIVE, LAPSED, WITHDRAWN = 0, 1, 2, 3


def announced(stream, portset, supply):
    incarnation = bytes(16) if supply in (ABLE, WITHDRAWN) else INCARNATION
    return struct.pack(">H", portset) + incarnation + bytes([supply]) + name(stream)


def announced_digest(stream, portset, supply):
    incarnation = bytes(16) if supply == ABLE else INCARNATION
    return combine(incarnation_tag(stream, SOURCE, incarnation), portset + 65536 * supply)


def size_probe(length):
    return struct.pack(">H", length) + bytes(length - 37)


def from_child():
    edges = [node_id("edge-1"), node_id("edge-2")]
    digest = announced_digest(STREAM, PORTSET, LIVE) + announced_digest(OTHER_STREAM, OTHER_PORTSET, ABLE) & WORD
    yield "Subscribe, live", 1, subscribe(0, 0, 0, 16, 0, [])
    yield "Subscribe, preburst", 1, subscribe(1, 0, 0, 32, 0, edges[:1])
    yield "Subscribe, resume, extra path", 1, subscribe(0x82, TAG, 42, 32, 150, edges)
    yield "Subscribe, on request", 1, subscribe(0xC0, 0, 0, 16, 0, edges[:1])
    yield "Unsubscribe", 3, struct.pack(">I", SUBSCRIPTION)
    yield "Renew", 5, struct.pack(
        ">QHQQQIII", 0x5152535455565758, 1, mix(SUBSCRIPTION), 1_000_001, 999_001, 250, 1000, 3)
    yield "Nak", 7, struct.pack(">IBBQBQB", SUBSCRIPTION, 1, 2, 40, 1, 44, 63)
    yield "Nak, last try", 7, struct.pack(">IBBQB", SUBSCRIPTION, 0x80 | 3, 1, 40, 2)
    yield "Announce", 8, (struct.pack(">QQHHB", 9, 0, 0, 1, 2) + announced(STREAM, PORTSET, LIVE)
                          + announced(OTHER_STREAM, OTHER_PORTSET, ABLE))
    yield "Announce, changes", 8, (struct.pack(">QQHHB", 10, 8, 0, 1, 2) + announced(STREAM, PORTSET, LIVE)
                                   + announced(OTHER_STREAM, 0, WITHDRAWN))
    yield "Heartbeat", 9, struct.pack(">QQQQ", 9, digest, 3_000_003, 4)
    yield "SizeReport", 14, struct.pack(">H", 175)
    yield "PayloadLimit", 15, struct.pack(">IH", SUBSCRIPTION, 1128)
    yield "Probe", 16, struct.pack(">Q", 0x3132333435363738)
    yield "RegionReport", 19, (
        struct.pack(">BQQQHHB", 2 | 4, 3, 6, 0, 0, 1, 2) + struct.pack(">BQQ", 1 | 8, TAG, 42) + name(STREAM)
        + struct.pack(">BQQ", 16, 0, 0) + name(OTHER_STREAM))
    yield "RegionReport, changes", 19, (
        struct.pack(">BQQQHHB", 1 | 2 | 4, 3, 7, 6, 0, 1, 1) + struct.pack(">BQQ", 32, 0, 0) + name(OTHER_STREAM))
    yield "RegionReport, nothing new", 19, struct.pack(">BQ", 24, 3)
    yield "Close", 12, bytes([0])


def from_parent(wrapped):
    source = struct.pack(">Q", SOURCE)
    yield "SubscribeReply", 2, (struct.pack(">IB", SUBSCRIPTION, 0) + source + INCARNATION
                                + struct.pack(">QQH", 1, 42, 250) + wrapped)
    yield "SubscribeReply, busy", 2, (struct.pack(">IB", SUBSCRIPTION, 3) + bytes(24)
                                      + struct.pack(">QQH", 0, 0, 500))
    yield "SubscriptionEnd", 4, struct.pack(">IB", SUBSCRIPTION, 3)
    yield "LinkHeartbeat", 6, struct.pack(
        ">IQQQIBBIQH", 4, 0x5152535455565758, 2_000_002, 1_000_001, 500, 1, 1, SUBSCRIPTION, 43, 65_535)
    yield "AnnouncePull", 10, struct.pack(">Q", 8)
    yield "HeartbeatReply", 11, struct.pack(">QB", 3_000_003, 1)
    yield "SizeProbe", 13, size_probe(175)
    yield "ProbeReport", 17, (
        struct.pack(">QQIIQQQQB", 0x3132333435363738, 60_000, 3, 2, 10_000_000_000, 1_000_000, 900, 9, 1)
        + source + name(STREAM))
    yield "WitnessReport", 18, (
        struct.pack(">QQHHB", 4, 0, 0, 1, 2) + source + bytes([1]) + name(STREAM)
        + struct.pack(">QB", 0, 0) + name(OTHER_STREAM))
    yield "WitnessReport, changes", 18, (
        struct.pack(">QQHHB", 5, 3, 0, 1, 2) + struct.pack(">QB", 0, 1) + name(STREAM)
        + struct.pack(">QB", 0, 2) + name(OTHER_STREAM))
    yield "LanFeed", 20, (
        struct.pack(">IQ", SUBSCRIPTION, 0x2122232425262728) + bytes(10) + b"\xff\xff" + bytes([239, 255, 12, 83])
        + struct.pack(">H", 4910))
    yield "LanFeed, none", 20, struct.pack(">I", SUBSCRIPTION) + bytes(26)


def vectors():
    h = handshake(keys())
    yield from handshake_messages(h)
    stream_key = octets(0xF0, 16)
    wrapped = wrap(h.sealing, stream_key, 1, TAG)
    yield "stream key, wrapped", wrapped
    payload = b"\x47" + octets(0x01, 31)
    yield "Data", data(stream_key, 0x30, 1, 42, DATA, payload)
    yield "Data, retransmitted", data(stream_key, 0x31, 2, 42, DATA, payload)
    yield "Data, filler", data(stream_key, 0x30, 3, 43, FILLER, b"")
    yield "Data, twin", data(twin_key(stream_key), 0x30, 4, 44, TWIN, payload)
    for counter, (title, kind, body) in enumerate(from_child(), 1):
        yield title, control(h.up, PARENT_TOKEN, counter, kind, body)
    for counter, (title, kind, body) in enumerate(from_parent(wrapped), 1):
        yield title, control(h.down, CHILD_TOKEN, counter, kind, body)


if __name__ == "__main__":
    main("vectors", vectors(), __doc__)
