"""Writes the zone of a laboratory: the description's files, and a `.zone` with the addresses of its hosts."""

import ipaddress
import pathlib
import shutil

from description import Description
from identities import Problem


def write_zone(description: Description, folder: pathlib.Path):
    """Fills a new folder with the zone's files."""
    folder.mkdir()
    zone = description.zone
    for file in description.files.iterdir():
        if file.name.startswith(f"{zone}.") and file.suffix in [".portsets", ".streams", ".revocations"]:
            shutil.copy(file, folder)
    servers = description.with_role("nameserver")
    lines = [
        f"$TTL {description.ttl}", f"@ SOA {servers[0]} hostmaster ( 1 3600 600 604800 {description.ttl} )",
        *(f"@ NS {name}" for name in servers)]
    for host in description.hosts.values():
        for address in host.public:
            kind = "A" if ipaddress.ip_address(address).version == 4 else "AAAA"
            lines.append(f"{host.name} {kind} {address}")
    (folder / f"{zone}.zone").write_text("\n".join(lines) + "\n")


def streams(folder: pathlib.Path, zone: str) -> dict[str, list[str]]:
    """The streams of the zone by name, each with its candidate entrypoints."""
    found = {}
    for line in (folder / f"{zone}.streams").read_text().splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["stream"]:
            candidates = next((word[12:] for word in words if word.startswith("entrypoints=")), "")
            found[words[1]] = candidates.split(",")
    return found


def candidates(folder: pathlib.Path, zone: str, stream: str) -> list[str]:
    """The entrypoints of a stream, from its own line or that of the longest pattern."""
    known = streams(folder, zone)
    fitting = [name for name in known if name == stream or name.endswith("*") and stream.startswith(name[:-1])]
    if not fitting:
        raise Problem(f"no line of {zone}.streams covers {stream}")
    return known[max(fitting, key=lambda name: (name == stream, len(name)))]
