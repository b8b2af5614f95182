"""A numbered MPEG-TS stream: what the encoders of tests send, and how a viewer reads the numbers back.

The stream has a fixed rate: a chunk of seven transport packets every 5 ms, or as told, and four chunks a picture. Each
video packet ends with its number and the time when it was sent, in hexadecimal so that no start code can appear in
them. The bytes depend on nothing else, so all copies of a chunk are identical.
"""

import struct

PACKET = 188
CHUNK_PACKETS = 7
CHUNK = CHUNK_PACKETS * PACKET
PICTURE_CHUNKS = 4
CHUNK_INTERVAL = 0.005
PICTURE_PACKETS = CHUNK_PACKETS * PICTURE_CHUNKS
PICTURE_TICKS = int(90_000 * CHUNK_INTERVAL * PICTURE_CHUNKS)
"""Duration of a picture, at the usual interval, in units of the 90 kHz clock."""

PMT_PID, VIDEO_PID = 0x1000, 0x100
MARK = b"#FO#"
RECORD = len(MARK) + 32
"""Bytes at the end of each video packet: the mark, the number and the time in nanoseconds."""
FILL = b"\x5a"
EVIDENCE_MAX = 3


class NumberedStream:
    """Makes the chunks of the stream, one after the other."""

    def __init__(self, group: int, interval: float = CHUNK_INTERVAL):
        """group: pictures from one random access point to the next; interval: seconds from chunk to chunk."""
        self.group, self.interval = group, interval
        self.picture_ticks = int(90_000 * interval * PICTURE_CHUNKS)
        self.chunks = 0
        """Chunks made so far."""
        self.number = 0
        """Number of the last video packet made; the first one has number 1."""
        self.tables_made = 0

    @property
    def begins_group(self) -> bool:
        """True if the next chunk begins with tables and a random access point."""
        return self.chunks % (PICTURE_CHUNKS * self.group) == 0

    def next(self, now: int) -> bytes:
        """The next chunk, sent at `now` (nanoseconds)."""
        picture, part = divmod(self.chunks, PICTURE_CHUNKS)
        packets = []
        if self.begins_group:
            counter = self.tables_made & 15
            self.tables_made += 1
            packets += [section(0, counter, PAT), section(PMT_PID, counter, PMT)]
        if part == 0:
            packets.append(self.first_of_picture(picture, now))
        while len(packets) < CHUNK_PACKETS:
            packets.append(self.video(b"", b"", now))
        self.chunks += 1
        return b"".join(packets)

    def first_of_picture(self, picture: int, now: int) -> bytes:
        is_random_access = picture % self.group == 0
        stamp = (picture * self.picture_ticks + 90_000) % (1 << 33)
        clock = (picture * self.picture_ticks) % (1 << 33)
        flags = 0x50 if is_random_access else 0x10
        adaptation = bytes([7, flags]) + struct.pack(">IH", clock >> 1, (clock & 1) << 15 | 0x7E00)
        # An H.264 access unit delimiter, then the start of an IDR slice or of a P slice.
        slices = b"\x00\x00\x01\x09\xf0\x00\x00\x01" + (b"\x65\x88\x84" if is_random_access else b"\x41\x9a\x02")
        header = b"\x00\x00\x01\xe0\x00\x00\x80\x80\x05" + time_stamp(stamp)
        return self.video(adaptation, header + slices, now)

    def video(self, adaptation: bytes, start: bytes, now: int) -> bytes:
        self.number += 1
        control = (0x30 if adaptation else 0x10) | (self.number - 1) & 15
        pid = VIDEO_PID | (0x4000 if start else 0)
        head = struct.pack(">BHB", 0x47, pid, control) + adaptation + start
        return head.ljust(PACKET - RECORD, FILL) + MARK + b"%016x%016x" % (self.number, now)


def time_stamp(ticks: int) -> bytes:
    """A presentation time stamp as a PES header has it (ISO/IEC 13818-1 §2.4.3.7)."""
    return bytes([
        0x21 | ticks >> 29 & 0x0E, ticks >> 22 & 0xFF, ticks >> 14 & 0xFE | 1, ticks >> 7 & 0xFF, ticks << 1 & 0xFE | 1,
    ])


def read_time_stamp(five: bytes) -> int:
    return (five[0] >> 1 & 7) << 30 | five[1] << 22 | (five[2] >> 1) << 15 | five[3] << 7 | five[4] >> 1


def section(pid: int, counter: int, content: bytes) -> bytes:
    return (struct.pack(">BHBB", 0x47, 0x4000 | pid, 0x10 | counter, 0) + content).ljust(PACKET, b"\xff")


def with_checksum(section: bytes) -> bytes:
    """Adds the CRC of ISO/IEC 13818-1 Annex A."""
    crc = 0xFFFFFFFF
    for byte in section:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return section + struct.pack(">I", crc)


PAT = with_checksum(bytes([0x00, 0xB0, 13, 0, 1, 0xC1, 0, 0, 0, 1, 0xE0 | PMT_PID >> 8, PMT_PID & 0xFF]))
PMT = with_checksum(
    bytes([0x02, 0xB0, 18, 0, 1, 0xC1, 0, 0, 0xE0 | VIDEO_PID >> 8, VIDEO_PID & 0xFF, 0xF0, 0])
    + bytes([0x1B, 0xE0 | VIDEO_PID >> 8, VIDEO_PID & 0xFF, 0xF0, 0]))


class NumberReader:
    """Splits what a viewer receives into transport packets, and reads the numbers.

    With `by_picture`, the number is that of the picture, from its time stamp: for a stream that a real encoder made.
    """

    def __init__(self, by_picture: bool):
        self.by_picture = by_picture
        self.rest = b""
        self.damaged = 0
        """Packets out of step, and video packets without a number."""
        self.evidence: list[bytes] = []
        """The first few of them."""
        self.splices = 0
        """Video packets with `discontinuity_indicator`."""
        self.split = b""
        """The payload of a packet whose end comes in the next one."""

    def read(self, received: bytes) -> list[tuple[int, int]]:
        """Number and sending time (0 if unknown) of each numbered packet in the next bytes."""
        data = self.rest + received
        whole = len(data) - len(data) % PACKET
        self.rest = data[whole:]
        found = []
        for at in range(0, whole, PACKET):
            if data[at] != 0x47:
                self.note_damage(data[at:at + PACKET])
                continue
            if (data[at + 1] & 0x1F) << 8 | data[at + 2] != VIDEO_PID:
                continue
            if data[at + 3] & 0x20 and data[at + 4] and data[at + 5] & 0x80:
                self.splices += 1
            if self.by_picture:
                if data[at + 1] & 0x40:
                    found.append((self.picture(data[at:at + PACKET]), 0))
                continue
            end = data[at + PACKET - RECORD:at + PACKET]
            if self.split or not end.startswith(MARK):
                payload = data[at + (5 + data[at + 4] if data[at + 3] & 0x20 else 4):at + PACKET]
                end = (self.split + payload)[-RECORD:]
                if not end.startswith(MARK):
                    # An edge that marks a discontinuity moves the end of a full packet into a second one.
                    if not self.split and len(payload) >= RECORD:
                        self.split = payload
                    else:
                        self.note_damage(data[at:at + PACKET])
                        self.split = b""
                    continue
                self.split = b""
            found.append((int(end[len(MARK):-16], 16), int(end[-16:], 16)))
        return found

    def note_damage(self, packet: bytes):
        self.damaged += 1
        if len(self.evidence) < EVIDENCE_MAX:
            self.evidence.append(packet)

    @staticmethod
    def picture(packet: bytes) -> int:
        start = 5 + packet[4] if packet[3] & 0x20 else 4
        return read_time_stamp(packet[start + 9:start + 14]) // PICTURE_TICKS
