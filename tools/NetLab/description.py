"""The description of a network: a plain text file, read with all its mistakes at once.

One fact a line; `#` begins a comment. `GRAMMAR` is what `tools/netlab --help` prints.
"""

import dataclasses
import ipaddress
import pathlib
import re

GRAMMAR = """\
  zone  NAME files=FOLDER [ttl=SECONDS]
      The zone. FOLDER holds NAME.portsets and NAME.streams; the laboratory writes NAME.zone, with the addresses of
      its hosts, and makes an identity for each node.
  site  NAME [PREFIX ...] [nat] [firewall=udp/4900,tcp/8080 | firewall=closed]
      A place on the wide-area network: a router, and a prefix of IPv4 and one of IPv6 (given, or chosen). nat: hosts
      reach other sites by the router's address. firewall: only these ports are reached from other sites.
  lan   NAME [PREFIX ...] [snooping=on|off] [mtu=BYTES] [loss=SHARE]
      A region's private LAN: a bridge without a router. Multicast works; snooping is IGMP and MLD snooping (off).
  link  SITE SITE [rate=100Mbps] [delay=20ms] [jitter=2ms] [loss=0.5%] [mtu=BYTES]
      A wide-area link, the same both ways. Sites that no link joins reach each other through others, by the shortest
      delay, or not at all.
  host  NAMES [site=NAME] [lan=NAME] [address=ADDRESS,...] [rate=1Gbps] [loss=SHARE]
      A machine: wan0 at its site, lan0 on its LAN. Addresses of either are given, or chosen: one of each prefix.
      rate and loss are those of wan0. NAMES is a name, or several: bos-[1-3].
  node  NAMES nameserver | entrypoint | set | edge [OPTION ...]
      What runs on a host, with more options of `reflector ROLE`, e.g. `node bos-[1-3] edge --region 1283 members`.
      members: the hosts of this line are the members of one region, each of which gets `--listen 0.0.0.0:4900
      --lan lan0`, and `--member NAME=ADDRESS` for each other one."""

NAME = re.compile(r"[a-z][a-z0-9-]{0,14}")
SEVERAL = re.compile(r"([a-z][a-z0-9-]*)\[([0-9]+)-([0-9]+)\]([a-z0-9-]*)")
UNITS = {
    "rate": {"Gbps": 1e9, "Mbps": 1e6, "kbps": 1e3}, "delay": {"ms": 1e-3, "us": 1e-6, "s": 1}, "loss": {"%": 1e-2},
}
UNITS["jitter"] = UNITS["delay"]
RANGES = {"rate": (1e4, 1e11), "delay": (0, 10), "jitter": (0, 10), "loss": (0, 1)}
RANGES |= {"mtu": (1280, 9000), "ttl": (1, 3600)}
ROLES = ["nameserver", "entrypoint", "set", "edge"]
HOSTS_MAX = 200
"""Hosts of a prefix, too: their addresses end in 11 and above."""


@dataclasses.dataclass
class Place:
    """A site or a LAN."""

    name: str
    prefixes: list
    nat: bool = False
    firewall: list[str] | None = None
    """Ports that other sites reach, as `udp/4900`; nil: all."""
    snooping: bool = False
    mtu: int | None = None
    loss: float = 0


@dataclasses.dataclass
class Link:
    ends: tuple[str, str]
    rate: float | None = None
    delay: float = 0
    jitter: float = 0
    loss: float = 0
    mtu: int | None = None

    @property
    def name(self) -> str:
        return "-".join(self.ends)


@dataclasses.dataclass
class Host:
    name: str
    site: str | None = None
    lan: str | None = None
    rate: float | None = None
    loss: float = 0
    wan_addresses: list = dataclasses.field(default_factory=list)
    """Interfaces, address and prefix length in one, of wan0."""
    lan_addresses: list = dataclasses.field(default_factory=list)

    @property
    def addresses(self) -> list[str]:
        """All addresses, those by which other sites know it first."""
        return [str(address.ip) for address in self.wan_addresses + self.lan_addresses]

    @property
    def public(self) -> list[str]:
        """The addresses in the zone: those of the site, or of the LAN if it is at no site."""
        return [str(address.ip) for address in self.wan_addresses or self.lan_addresses]


@dataclasses.dataclass
class Node:
    host: str
    role: str
    options: list[str]


class Mistakes(Exception):
    """The description is wrong; the text lists every mistake as `file:line:column: what`."""


class Description:
    def __init__(self, path: pathlib.Path):
        self.path = path
        self.zone: str | None = None
        self.files: pathlib.Path | None = None
        self.ttl = 5
        self.sites: dict[str, Place] = {}
        self.lans: dict[str, Place] = {}
        self.links: list[Link] = []
        self.hosts: dict[str, Host] = {}
        self.nodes: dict[str, Node] = {}
        Reader(self).read()

    @property
    def name(self) -> str:
        return self.path.stem

    def hosts_of(self, name: str) -> list[str]:
        """The hosts that a name means: a host, those of a site, or those on a LAN."""
        if name in self.hosts:
            return [name]
        return [host.name for host in self.hosts.values() if name in [host.site, host.lan]]

    def fellows(self, name: str) -> list[str]:
        """The other hosts on the LAN of a host."""
        lan = self.hosts[name].lan
        return [other.name for other in self.hosts.values() if lan and other.lan == lan and other.name != name]

    def with_role(self, role: str) -> list[str]:
        return [node.host for node in self.nodes.values() if node.role == role]


class Reader:
    """Reads the lines into a description."""

    def __init__(self, description: Description):
        self.found = description
        self.mistakes: list[tuple[int, int, str]] = []
        self.line = 0
        self.given: dict[str, list] = {}
        """Addresses of hosts, with their columns, until all sites are known."""

    def read(self):
        found = self.found
        try:
            text = found.path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise Mistakes(f"{found.path}: {error}") from None
        known = {"zone": self.zone, "site": self.site, "lan": self.lan, "link": self.link, "host": self.host}
        known["node"] = self.node
        later: list[tuple] = []
        for self.line, line in enumerate(text.split("\n"), 1):
            words = [(word.start() + 1, word.group()) for word in re.finditer(r"\S+", line.split("#", 1)[0])]
            if not words:
                continue
            column, first = words[0]
            if first not in known:
                self.wrong(column, f"unknown word '{first}'; a line begins with {', '.join(known)}")
            elif len(words) == 1:
                self.wrong(column, f"'{first}' needs a name after it")
            elif first in ["zone", "site", "lan"]:
                known[first](words)
            else:
                # These name places, which may stand below.
                later.append((["host", "node", "link"].index(first), self.line, known[first], words))
        for _, self.line, body, words in sorted(later, key=lambda each: each[:2]):
            body(words)
        self.line = 1
        if not found.hosts and not self.mistakes:
            self.wrong(1, "no host; a laboratory needs at least one line 'host NAME'")
        if found.nodes and not found.zone:
            self.wrong(1, "nodes need a zone: 'zone NAME files=FOLDER'")
        if found.nodes and not found.with_role("nameserver"):
            self.wrong(1, "no 'node HOST nameserver': nodes look up their parents there")
        if self.mistakes:
            lines = [f"{found.path}:{line}:{column}: {text}" for line, column, text in sorted(self.mistakes)]
            raise Mistakes("\n".join(lines))

    def wrong(self, column: int, text: str):
        self.mistakes.append((self.line, column, text))

    # Lines.

    def zone(self, words):
        options = self.options(words[2:], ["files", "ttl"])
        column, name = words[1]
        if self.found.zone:
            self.wrong(column, "a second zone; a laboratory has one")
        self.found.zone, self.found.ttl = name, int(options.get("ttl", 5))
        if "files" not in options:
            self.wrong(column, "say where the zone's files are: files=FOLDER")
            return
        folder = (self.found.path.parent / options["files"]).resolve()
        self.found.files = folder
        for kind in ["portsets", "streams"]:
            if not (folder / f"{name}.{kind}").is_file():
                self.wrong(column, f"there is no file {folder}/{name}.{kind}")

    def site(self, words):
        name = self.own_name(words[1])
        options = self.options(words[2:], ["firewall"], flags=["nat"], prefixes=True)
        place = Place(name, self.prefixes(options, "198.18.{}.0/24", "2001:db8:{}::/64", self.found.sites))
        place.nat = "nat" in options
        if "firewall" in options:
            place.firewall = []
            for port in options["firewall"].split(",") if options["firewall"] != "closed" else []:
                if re.fullmatch(r"(udp|tcp)/[0-9]{1,5}", port) and 0 < int(port[4:]) < 65536:
                    place.firewall.append(port)
                else:
                    self.wrong(words[1][0], f"firewall: '{port}' is not a port such as udp/4900 or tcp/8080")
        self.found.sites[name] = place

    def lan(self, words):
        name = self.own_name(words[1])
        options = self.options(words[2:], ["snooping", "mtu", "loss"], prefixes=True)
        place = Place(name, self.prefixes(options, "192.168.{}.0/24", "fd00:0:0:{}::/64", self.found.lans))
        if options.get("snooping", "off") not in ["on", "off"]:
            self.wrong(words[1][0], "snooping is on or off")
        place.snooping = options.get("snooping") == "on"
        place.mtu, place.loss = options.get("mtu"), options.get("loss", 0)
        self.found.lans[name] = place

    def link(self, words):
        if len(words) < 3:
            return self.wrong(words[0][0], "a link joins two sites: 'link SITE SITE'")
        ends = tuple(self.known(word, self.found.sites, "site") for word in words[1:3])
        options = self.options(words[3:], ["rate", "delay", "jitter", "loss", "mtu"])
        if ends[0] == ends[1]:
            self.wrong(words[2][0], "a link joins two different sites")
        if any(set(link.ends) == set(ends) for link in self.found.links):
            self.wrong(words[1][0], f"{ends[0]} and {ends[1]} have a link already")
        self.found.links.append(Link(ends, **options))

    def host(self, words):
        options = self.options(words[2:], ["site", "lan", "address", "rate", "loss"])
        places = {"site": self.found.sites, "lan": self.found.lans}
        column = words[1][0]
        chosen = {key: self.known((column, options[key]), places[key], key) for key in places if key in options}
        if not chosen:
            self.wrong(column, "say where the host is: site=NAME, lan=NAME, or both")
        names = self.names(words[1])
        given = options["address"].split(",") if "address" in options else []
        if given and len(names) > 1:
            self.wrong(column, "address= goes with one host, not with several")
        for name in names:
            host = Host(self.own_name((column, name)), **chosen, rate=options.get("rate"), loss=options.get("loss", 0))
            if len(self.found.hosts) >= HOSTS_MAX:
                return self.wrong(column, f"more than {HOSTS_MAX} hosts")
            self.found.hosts[host.name] = host
            self.give_addresses(host, given, column)

    def node(self, words):
        if len(words) < 3 or words[2][1] not in ROLES:
            return self.wrong(words[min(2, len(words) - 1)][0], f"a node is one of {', '.join(ROLES)}")
        column, role = words[2]
        options = [word for _, word in words[3:]]
        if role == "edge" and "--region" not in options:
            self.wrong(column, "an edge has a region: 'node NAME edge --region 1283'")
        names = self.names(words[1])
        for name in names:
            self.known((words[1][0], name), self.found.hosts, "host")
            if name in self.found.nodes:
                self.wrong(words[1][0], f"{name} has a node already")
            self.found.nodes[name] = Node(name, role, self.with_members(options, name, names, words[1][0]))

    # Parts of lines.

    def with_members(self, options: list[str], own: str, names: list[str], column: int) -> list[str]:
        """The options with the word `members` written out."""
        if "members" not in options:
            return options
        lan = next((host.lan for host in map(self.found.hosts.get, names) if host), None)
        if len(names) < 2 and own == names[0]:
            self.wrong(column, "members: a region of one host has no other members")
        written = [option for option in options if option != "members"] + ["--listen", "0.0.0.0:4900", "--lan", "lan0"]
        for name in names:
            host = self.found.hosts.get(name)
            if not host:
                continue
            if not host.lan or host.lan != lan:
                self.wrong(column, f"members need one LAN, and {name} is {f'on {host.lan}' if host.lan else 'on none'}")
            elif name != own:
                written += ["--member", f"{name}={host.lan_addresses[0].ip}"]
        return written

    def names(self, word) -> list[str]:
        column, text = word
        several = SEVERAL.fullmatch(text)
        if not several:
            return [text]
        head, first, last, tail = several.group(1), int(several.group(2)), int(several.group(3)), several.group(4)
        if not 0 <= last - first < HOSTS_MAX:
            self.wrong(column, f"'{text}' means no hosts, or more than {HOSTS_MAX}")
            return []
        return [f"{head}{number}{tail}" for number in range(first, last + 1)]

    def own_name(self, word) -> str:
        """Checks a name that this line introduces."""
        column, name = word
        if not NAME.fullmatch(name) or name in ["lo", "br0", "wan0", "lan0"]:
            self.wrong(column, f"'{name}' is not a name: 1 to 15 of a-z, 0-9 and -, the first a letter")
        for kind, names in [("site", self.found.sites), ("lan", self.found.lans), ("host", self.found.hosts)]:
            if name in names:
                self.wrong(column, f"there is a {kind} '{name}' already")
        return name

    def known(self, word, names, kind: str) -> str:
        column, name = word
        if name not in names:
            self.wrong(column, f"unknown {kind} '{name}'" + (f"; there are {', '.join(names)}" if names else ""))
        return name

    def options(self, words, keys, flags=(), prefixes=False) -> dict:
        found: dict = {}
        for column, word in words:
            key, equals, text = word.partition("=")
            if not equals and prefixes and word[0].isdigit() or ":" in key and prefixes:
                try:
                    found.setdefault("prefixes", []).append(ipaddress.ip_network(word))
                except ValueError as error:
                    self.wrong(column, f"not a prefix: {error}")
            elif (key not in keys or not equals) and word not in flags:
                every = [f"{key}=…" for key in keys] + list(flags)
                self.wrong(column, f"unknown option '{word}'; this line takes {', '.join(every)}")
            elif key in found:
                self.wrong(column, f"{key} is given twice")
            else:
                found[key] = self.value(column + len(key) + 1, key, text) if key in RANGES else text or True
        return {key: value for key, value in found.items() if value is not None}

    def value(self, column: int, key: str, text: str):
        units = UNITS.get(key, {"": 1})
        unit = next((unit for unit in units if text.endswith(unit)), None)
        least, most = RANGES[key]
        try:
            value = float(text[:len(text) - len(unit)]) * units[unit]
        except (TypeError, ValueError):
            wanted = f"with {' or '.join(units)}" if any(units) else "without a unit"
            return self.wrong(column, f"{key}: '{text}' is not a number {wanted}")
        if not least <= value <= most:
            return self.wrong(column, f"{key}: '{text}' is out of range")
        return int(value) if key in ["mtu", "ttl"] else value

    def prefixes(self, options: dict, *templates) -> list:
        places = [*self.found.sites.values(), *self.found.lans.values()]
        taken = [prefix for place in places for prefix in place.prefixes]
        given = options.get("prefixes", [])
        for prefix in given:
            for other in taken:
                if other.version == prefix.version and other.overlaps(prefix):
                    self.wrong(1, f"{prefix} overlaps {other}")
        if given:
            return given
        number = 1
        while True:
            chosen = [ipaddress.ip_network(template.format(number)) for template in templates[:2]]
            if not any(a.version == b.version and a.overlaps(b) for a in chosen for b in taken):
                return chosen
            number += 1

    def give_addresses(self, host: Host, given: list[str], column: int):
        sides = [
            (self.found.sites.get(host.site), host.wan_addresses), (self.found.lans.get(host.lan), host.lan_addresses)]
        taken = {address for other in self.found.hosts.values() for address in other.addresses}
        for text in given:
            try:
                address = ipaddress.ip_address(text)
            except ValueError as error:
                self.wrong(column, f"not an address: {error}")
                continue
            fits = [
                (prefix, addresses) for place, addresses in sides if place
                for prefix in place.prefixes if address in prefix]
            if not fits:
                self.wrong(column, f"{text} is in no prefix of the host's site or LAN")
            elif text in taken:
                self.wrong(column, f"{text} belongs to another host")
            else:
                fits[0][1].append(ipaddress.ip_interface(f"{address}/{fits[0][0].prefixlen}"))
        for place, addresses in sides:
            if not place or addresses:
                continue
            for prefix in place.prefixes:
                for number in range(11, 11 + HOSTS_MAX):
                    # The same digits in both families.
                    offset = number if prefix.version == 4 else int(str(number), 16)
                    if offset >= prefix.num_addresses - 1:
                        self.wrong(column, f"{prefix} has no address left for {host.name}")
                        break
                    address = prefix[offset]
                    if str(address) not in taken:
                        addresses.append(ipaddress.ip_interface(f"{address}/{prefix.prefixlen}"))
                        break
