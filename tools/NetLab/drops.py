"""Losses and cuts: nftables drop packets where they arrive, so that no sender is told."""

import subprocess

from cables import Cables
from description import Description
from identities import Problem

MILLION = 1_000_000


class Drops:
    def __init__(self, description: Description, cables: Cables):
        self.description, self.cables = description, cables
        self.pairs: set[tuple[str, str]] = set()
        """Hosts, sender first: nothing of the first arrives at the second."""
        self.interfaces: set[tuple[str, str]] = set()
        """Namespace and interface at which nothing arrives."""
        self.applied: dict[str, str] = {}
        """The rules in force in each namespace."""

    def cut(self, a: str, b: str, one_way: bool):
        """From a to b, and the other way too unless `one_way`. Each is a host, a site or a LAN."""
        hosts = self.description.hosts
        for name in [a, b]:
            if not self.description.hosts_of(name):
                raise Problem(f"no host, site or LAN '{name}'")
        if b in hosts and a not in hosts and a in [hosts[b].site, hosts[b].lan]:
            at_host, at_place = self.cables.ends(b, a)
            self.interfaces |= {at_host} if one_way else {at_host, at_place}
        elif a in hosts and b not in hosts and b in [hosts[a].site, hosts[a].lan]:
            at_host, at_place = self.cables.ends(a, b)
            self.interfaces |= {at_place} if one_way else {at_host, at_place}
        else:
            pairs = {(x, y) for x in self.description.hosts_of(a) for y in self.description.hosts_of(b) if x != y}
            self.pairs |= pairs if one_way else pairs | {(y, x) for x, y in pairs}
        self.apply()

    def heal(self, a: str | None = None, b: str | None = None):
        """Ends the cuts between a and b, or all."""
        if a is None:
            self.pairs, self.interfaces = set(), set()
        else:
            first, second = self.description.hosts_of(a), self.description.hosts_of(b)
            between = {(x, y) for x in first for y in second}
            self.pairs -= between | {(y, x) for x, y in between}
            self.interfaces = {
                (name, interface) for name, interface in self.interfaces
                if (name, interface) not in self.ends_between(a, b)}
        self.apply()

    def ends_between(self, a: str, b: str) -> list[tuple[str, str]]:
        hosts = self.description.hosts
        for host, place in [(a, b), (b, a)]:
            if host in hosts and place in [hosts[host].site, hosts[host].lan]:
                return self.cables.ends(host, place)
        return []

    def apply(self):
        """Puts the rules in force that have changed, everywhere at once."""
        running = []
        for name, rules in self.rules().items():
            if self.applied.get(name, "") == rules:
                continue
            self.applied[name] = rules
            text = f"table netdev netlab\ndelete table netdev netlab\n{rules}"
            process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{name}", "nft", "-f", "-"], stdin=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True)
            process.stdin.write(text)
            process.stdin.close()
            running.append((name, process))
        for name, process in running:
            errors = process.stderr.read()
            if process.wait() != 0:
                raise Problem(f"nft at {name}: {errors.strip()}")

    def rules(self) -> dict[str, str]:
        """The whole table of each namespace that has one."""
        chains: dict[str, dict[str, list[str]]] = {name: {} for name in self.applied}
        for name, interface in self.interfaces:
            chains.setdefault(name, {}).setdefault(interface, []).append("drop")
        senders: dict[str, set[str]] = {}
        for a, b in self.pairs:
            senders.setdefault(b, set()).add(a)
        for name, others in senders.items():
            host = self.description.hosts[name]
            for interface, place in [("wan0", host.site), ("lan0", host.lan)]:
                if place:
                    addresses = [address for other in others for address in self.description.hosts[other].addresses]
                    chains.setdefault(name, {}).setdefault(interface, []).extend(matches("saddr", addresses))
        for a, b in self.pairs:
            sender, receiver = self.description.hosts[a], self.description.hosts[b]
            if sender.site and sender.site != receiver.site and self.description.sites[sender.site].nat:
                # The receiver sees the address of the router instead.
                rules = chains.setdefault(sender.site, {}).setdefault(a, [])
                rules.extend(matches("daddr", receiver.addresses))
        for name, interface, share in self.losses():
            if share:
                rule = f"numgen random mod {MILLION} < {int(share * MILLION)} drop"
                chains.setdefault(name, {}).setdefault(interface, []).append(rule)
        return {name: table(found) for name, found in chains.items()}

    def losses(self):
        for host in self.description.hosts.values():
            lan = self.description.lans.get(host.lan)
            if host.site:
                yield from ((*end, host.loss) for end in self.cables.ends(host.name, host.site))
            if lan:
                # A packet passes two cables; each loses half.
                yield from ((*end, lan.loss / 2) for end in self.cables.ends(host.name, host.lan))
        for link in self.description.links:
            yield from ((name, interface, link.loss) for name, interface in zip(link.ends, reversed(link.ends)))


def matches(side: str, addresses: list[str]) -> list[str]:
    four = sorted(address for address in addresses if ":" not in address)
    six = sorted(address for address in addresses if ":" in address)
    return [
        f"{kind} {side} {{ {', '.join(found)} }} drop" for kind, found in [("ip", four), ("ip6", six)] if found]


def table(chains: dict[str, list[str]]) -> str:
    if not chains:
        return ""
    lines = ["table netdev netlab {"]
    for number, (interface, rules) in enumerate(sorted(chains.items())):
        lines += [f"chain in{number} {{", f'type filter hook ingress device "{interface}" priority 0;', *rules, "}"]
    return "\n".join([*lines, "}"]) + "\n"
