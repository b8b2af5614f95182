"""Builds the network in the kernel: namespaces, bridges, cables, addresses, routes, rates, NAT and firewalls.

A host, a site's router and a LAN's switch are a network namespace each. A host's `wan0` ends at the bridge `br0` of its
site's router, its `lan0` at the `br0` of its LAN; the other end of a cable has the name of the host. The two ends of a
wide-area link have the names of the sites that they lead to.
"""

import heapq
import ipaddress
import subprocess

from description import Description, Link, Place
from identities import Problem
from namespaces import inside
from wires import Wires, open_tap
from worker import Worker

ROUTER = 1
"""Number of the router's address in each prefix of its site."""
QUEUE = "100ms"
"""Longest wait in the queue of a limited rate; what does not fit is dropped."""
SWITCH_RATE_BURST = 0.004
"""A limited rate may be exceeded for this many seconds' worth of bytes, at least one large packet."""


def run(command: list[str], text: str):
    result = subprocess.run(command, input=text, text=True, capture_output=True)
    if result.returncode != 0:
        raise Problem(f"{' '.join(command)}: {result.stderr.strip()}")


class Cables:
    """What `build` needs to know of the two ends of each cable, for cuts too."""

    def __init__(self, description: Description):
        self.description = description
        self.lines: dict[str, list[str]] = {}
        """Lines for `ip`, for each namespace."""
        self.rates: list[tuple[str, str, float]] = []
        self.wires: Worker | None = None
        """Carries what passes links that have a delay."""

    def ends(self, host: str, place: str) -> list[tuple[str, str]]:
        """Namespace and interface of the two ends of a host's cable to its site or LAN: the host's first."""
        interface = "wan0" if self.description.hosts[host].site == place else "lan0"
        return [(host, interface), (place, host)]

    def build(self):
        described = self.description
        places = [*described.sites.values(), *described.lans.values()]
        first = [f"netns add {name}" for name in [*(place.name for place in places), *described.hosts]]
        for host in described.hosts.values():
            for place, interface in [(host.site, "wan0"), (host.lan, "lan0")]:
                if place:
                    first.append(
                        f"link add name {interface} netns {host.name} type veth peer name {host.name} netns {place}")
        for link in described.links:
            if not link.delay:
                a, b = link.ends
                first.append(f"link add name {b} netns {a} type veth peer name {a} netns {b}")
        run(["ip", "-batch", "-"], "\n".join(first) + "\n")
        delayed = [link for link in described.links if link.delay]
        if delayed:
            self.wires = Worker(Wires, [(link, *map(open_tap, link.ends, reversed(link.ends))) for link in delayed])
        for place in places:
            self.set_up_place(place)
        for host in described.hosts.values():
            self.set_up_host(host)
        for index, link in enumerate(described.links):
            self.set_up_link(index, link)
        self.set_up_routes()
        for name, lines in self.lines.items():
            run(["ip", "-netns", name, "-batch", "-"], "\n".join(["link set dev lo up", *lines]) + "\n")
        for name, interface, rate in self.rates:
            burst = max(int(rate / 8 * SWITCH_RATE_BURST), 10_000)
            run(["tc", "-netns", name, "qdisc", "add", "dev", interface, "root", "tbf", "rate", f"{int(rate)}bit",
                 "burst", str(burst), "latency", QUEUE], "")
        for site in described.sites.values():
            self.set_up_filters(site)

    def add(self, name: str, *lines: str):
        self.lines.setdefault(name, []).extend(lines)

    def set_up_place(self, place: Place):
        is_site = place.name in self.description.sites
        snooping = "mcast_snooping 1 mcast_querier 1" if place.snooping else "mcast_snooping 0"
        self.add(place.name, f"link add name br0 type bridge {snooping}")
        if is_site:
            for prefix in place.prefixes:
                self.add(place.name, f"addr add {prefix[ROUTER]}/{prefix.prefixlen} dev br0{nodad(prefix)}")
        mtu = f" mtu {place.mtu}" if place.mtu else ""
        for host in self.description.hosts.values():
            if place.name in [host.site, host.lan]:
                self.add(place.name, f"link set dev {host.name} master br0 gso_max_segs 1{mtu} up")
        self.add(place.name, f"link set dev br0{mtu} up")
        with inside(place.name):
            settings = {"net/ipv4/ip_forward": is_site, "net/ipv6/conf/all/forwarding": is_site}
            for key, value in settings.items():
                write(key, value)

    def set_up_host(self, host):
        for place, interface, addresses in [
            (self.description.sites.get(host.site), "wan0", host.wan_addresses),
            (self.description.lans.get(host.lan), "lan0", host.lan_addresses),
        ]:
            if not place:
                continue
            mtu = f" mtu {place.mtu}" if place.mtu else ""
            # As a real device does, it hands over single packets, so that a loss is the loss of one.
            self.add(host.name, f"link set dev {interface} gso_max_segs 1{mtu} up")
            for address in addresses:
                self.add(host.name, f"addr add {address} dev {interface}{nodad(address)}")
            if interface == "lan0":
                self.add(host.name, "route add 239.0.0.0/8 dev lan0")
            for prefix in place.prefixes if interface == "wan0" else []:
                if any(address.version == prefix.version for address in addresses):
                    self.add(host.name, f"route add default via {prefix[ROUTER]}")
            if interface == "wan0" and host.rate:
                self.rates += [(name, end, host.rate) for name, end in self.ends(host.name, host.site)]

    def set_up_link(self, index: int, link: Link):
        a, b = link.ends
        mtu = f" mtu {link.mtu}" if link.mtu else ""
        for number, (name, interface) in enumerate([(a, b), (b, a)]):
            self.add(name, f"link set dev {interface} gso_max_segs 1{mtu} up")
            for address in link_addresses(index)[number]:
                self.add(name, f"addr add {address} dev {interface}{nodad(address)}")
            if link.rate:
                self.rates.append((name, interface, link.rate))

    def set_up_routes(self):
        """Each site reaches each other one by the shortest delay."""
        sites = self.description.sites
        for start in sites:
            for target, (index, end) in first_links(self.description.links, start).items():
                # The address of the far end of the first link.
                gateways = link_addresses(index)[1 - end]
                for prefix in sites[target].prefixes:
                    if sites[target].nat and prefix.version == 4:
                        continue
                    gateway = next(address.ip for address in gateways if address.version == prefix.version)
                    self.add(start, f"route add {prefix} via {gateway}")
                for number, other in enumerate(self.description.links):
                    if target in other.ends and start not in other.ends:
                        for address in link_addresses(number)[other.ends.index(target)]:
                            gateway = next(each.ip for each in gateways if each.version == address.version)
                            self.add(start, f"route replace {address.ip} via {gateway}")

    def set_up_filters(self, site: Place):
        rules = []
        if site.nat:
            four = [str(prefix) for prefix in site.prefixes if prefix.version == 4]
            saddr = f"ip saddr {{ {', '.join(four)} }}"
            rules += [
                "table ip nat {", "chain out {", "type nat hook postrouting priority 100;",
                f'oifname != "br0" {saddr} masquerade', "}", "}"]
        if site.firewall is not None:
            rules += [
                "table inet firewall {", "chain in {", "type filter hook forward priority 0;",
                'oifname != "br0" accept', 'iifname "br0" accept', "ct state established,related accept",
                "meta l4proto { icmp, ipv6-icmp } accept",
                *(f"{port.replace('/', ' dport ')} accept" for port in site.firewall), "drop", "}", "}"]
        if rules:
            run(["ip", "netns", "exec", site.name, "nft", "-f", "-"], "\n".join(rules) + "\n")


def write(key: str, value):
    with open(f"/proc/sys/{key}", "w") as file:
        file.write(str(int(value)))


def nodad(address) -> str:
    return " nodad" if address.version == 6 else ""


def link_addresses(index: int) -> list[list]:
    """The addresses of both ends of a link."""
    four = ipaddress.ip_network((int(ipaddress.ip_address("198.19.0.0")) + 4 * index, 30))
    six = ipaddress.ip_network(f"2001:db8:ffff:{index:x}::/64")
    return [
        [ipaddress.ip_interface(f"{four[end]}/30"), ipaddress.ip_interface(f"{six[end]}/64")] for end in [1, 2]]


def first_links(links: list[Link], start: str) -> dict[str, tuple[int, int]]:
    """For each site that `start` reaches: the number of the first link on the way, and which end of it `start` is."""
    best: dict[str, float] = {}
    found: dict[str, tuple[int, int]] = {}
    heap: list[tuple[float, str, tuple[int, int] | None]] = [(0, start, None)]
    while heap:
        length, site, first = heapq.heappop(heap)
        if site in best:
            continue
        best[site] = length
        if first:
            found[site] = first
        for index, link in enumerate(links):
            if site in link.ends:
                end = link.ends.index(site)
                # A hop counts a little, so that fewer hops win where delays are equal.
                step = length + link.delay + 1e-5
                heapq.heappush(heap, (step, link.ends[1 - end], first or (index, end)))
    return found
