"""Tests of tools/netlab that need no reflector: descriptions, networks of bare hosts, multicast, cuts, and the end.

Usage: python3 Tests/Scripts/netlab.py [TEST ...]; as root. Each test is a function below; prints a line for each.
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
NETLAB = ROOT / "tools" / "netlab"
# Other laboratories may run beside this test.
LAB = os.environ["NETLAB"] = f"test-{os.getpid()}"
DESCRIPTION = """\
site  a
site  b
site  c
site  behind  192.168.99.0/24  nat
site  closed  firewall=udp/7001
link  a b       delay=20ms
link  b c       rate=2Mbps  mtu=1400
link  behind a
link  closed a
lan   flat   snooping=off
lan   wise   snooping=on
host  a1     site=a  lan=flat
host  a2     site=a  lan=flat  address=198.18.1.77,198.18.1.78,2001:db8:1::77
host  b1     site=b  lan=wise
host  b2     site=b  lan=wise
host  c1     site=c
host  n1     site=behind
host  f1     site=closed
"""
SENDER = """
import socket, sys, time
group, port, address = sys.argv[1], int(sys.argv[2]), sys.argv[3]
six = ":" in group
sender = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
if group.startswith("ff"):
    sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("lan0"))
elif group.startswith("239."):
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
for number in range(int(sys.argv[4]) if len(sys.argv) > 4 else 20):
    sender.sendto(b"%d" % number, (group, port))
    time.sleep(0.02 if len(sys.argv) <= 4 else 0.0005)
"""
RECEIVER = """
import select, socket, struct, sys, time
group, port, address, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
six = ":" in group
receiver = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
receiver.bind((group, port))
if group.startswith("ff"):
    index = struct.pack("@I", socket.if_nametoindex("lan0"))
    receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, group) + index)
elif group.startswith("239."):
    receiver.setsockopt(
        socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton(address))
print("joined", flush=True)
count, source = 0, "nobody"
# Ends a while after its input.
end = None
while True:
    ready = select.select([receiver, *([] if end else [sys.stdin])], [], [], end and max(end - time.monotonic(), 0))[0]
    if receiver in ready:
        source = receiver.recvfrom(2048)[1][0]
        count += 1
    elif ready:
        end = time.monotonic() + seconds
    elif end:
        break
print(count, source)
"""


def netlab(*words, code: int | None = 0) -> str:
    result = subprocess.run([NETLAB, *map(str, words)], capture_output=True, text=True, timeout=60)
    assert code is None or result.returncode == code, (words, result.returncode, result.stdout, result.stderr)
    return result.stdout + result.stderr


@contextlib.contextmanager
def laboratory(text: str, *options: str):
    """Runs a network of bare hosts; the process is the one that a user would have started."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"{LAB}.network"
        path.write_text(text)
        process = subprocess.Popen(
            [NETLAB, "up", path, "--bare", "--program", "/bin/true", *options], stdout=subprocess.PIPE, text=True)
        try:
            line = process.stdout.readline()
            assert "are up" in line, line
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def shared():
    """A laboratory for all tests that leave it as they found it."""
    if not opened:
        opened.append(laboratory(DESCRIPTION))
        opened[0].__enter__()


def end_shared():
    if opened:
        opened.pop().__exit__(None, None, None)


opened: list = []


def execute(host: str, *command: str, code: int | None = 0) -> str:
    return netlab("exec", host, "--", *command, code=code)


def datagrams(sender: str, receiver: str, group: str, port: int = 7000, count: int | None = None) -> tuple[int, str]:
    """How many of 20 arrive, and from which address."""
    def at(host: str):
        return re.search(r"inet (192\.168\.[0-9]+\.[0-9]+)", execute(host, "ip", "address", "show", "lan0", code=None))
    own = [found.group(1) if (found := at(host)) else "0.0.0.0" for host in [sender, receiver]]
    waiting = subprocess.Popen(
        [NETLAB, "exec", receiver, "--", "python3", "-c", RECEIVER, group, str(port), own[1], "0.5"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert waiting.stdout.readline() == "joined\n"
    time.sleep(0.1)
    more = [str(count)] if count else []
    execute(sender, "python3", "-c", SENDER, group, str(port), own[0], *more)
    number, source = waiting.communicate()[0].split()
    return int(number), source


def test_every_mistake_has_its_line_and_column():
    with tempfile.NamedTemporaryFile("w", suffix=".network") as file:
        file.write(
            "site a\nsite a\nlan l snooping=perhaps\nlink a\nlink a nowhere delay=20\nhost x site=a lann=l\n"
            "host y[1-3] site=a address=1.2.3.4\nhost z\nhst q\nnode x edge\n"
            "site p 198.18.1.0/33\nlink a a rate=1Tbps\n")
        file.flush()
        found = netlab("check", file.name, code=2)
    places = {tuple(map(int, re.findall(r":([0-9]+):([0-9]+):", line)[0])) for line in found.splitlines()}
    wanted = {(2, 6), (3, 5), (4, 1), (5, 8), (5, 22), (6, 15), (7, 6), (8, 6), (9, 1), (10, 8), (11, 8), (12, 8)}
    assert wanted <= places, (wanted - places, found)


def test_members_are_the_hosts_of_one_line_on_one_lan():
    with tempfile.NamedTemporaryFile("w", suffix=".network") as file:
        file.write("site a\nlan l\nhost x[1-2] site=a lan=l\nhost y site=a\n"
                   "node x[1-2] edge --region 1 members\nnode y set members\n")
        file.flush()
        found = netlab("check", file.name, code=2)
    assert ":5:" not in found and ":6:6: members need one LAN, and y is on none" in found, found
    assert "a region of one host has no other members" in found, found


def test_ready_made_networks_have_no_mistakes():
    for folder in (ROOT / "tools" / "NetLab" / "networks").iterdir():
        assert "HOST" in netlab("check", folder.name)


def test_hosts_reach_each_other_over_both_families():
    shared()
    assert execute("a2", "ip", "-brief", "address", "show", "wan0").count("198.18.1.7") == 2
    for group in ["198.18.3.11", "2001:db8:3::11"]:
        count, source = datagrams("a1", "c1", group)
        assert (count, source) == (20, group.replace("3", "1", 1) if ":" in group else "198.18.1.11"), (count, source)


def test_a_link_has_its_delay_and_its_rate():
    shared()
    begin = execute("a1", "python3", "-c", PING.format("198.18.2.11"), code=None)
    assert 0.035 < float(begin) < 0.2, begin
    # 1,000 datagrams of 43 bytes in half a second, and 100 ms of queue, at 2 Mb/s.
    count, _ = datagrams("b1", "c1", "198.18.3.11", count=1_000)
    assert count == 1_000, count


PING = """
import socket, time
connection = socket.socket()
begin = time.monotonic()
try:
    connection.connect(("{}", 9))
except ConnectionRefusedError:
    print(time.monotonic() - begin)
"""


def test_multicast_crosses_a_lan_without_snooping():
    shared()
    assert datagrams("a1", "a2", "239.1.2.3") == (20, "192.168.1.11")
    assert datagrams("a2", "a1", "ff15::1:2:3")[0] == 20


def test_multicast_crosses_a_lan_with_snooping():
    shared()
    assert datagrams("b1", "b2", "239.1.2.3") == (20, "192.168.2.11")
    assert datagrams("b2", "b1", "ff15::1:2:3")[0] == 20


def test_nat_hides_addresses_and_a_firewall_lets_in_what_it_names():
    shared()
    count, source = datagrams("n1", "a1", "198.18.1.11")
    assert count == 20 and source.startswith("198.19."), (count, source)
    assert datagrams("a1", "f1", "198.18.4.11", 7001)[0] == 20
    assert datagrams("a1", "f1", "198.18.4.11", 7002)[0] == 0
    assert datagrams("f1", "a1", "198.18.1.11", 7002)[0] == 20


def test_cuts_and_heals():
    shared()
    netlab("cut", "a1", "a2", "--one-way")
    assert datagrams("a1", "a2", "239.1.2.3")[0] == 0
    assert datagrams("a2", "a1", "239.1.2.3")[0] == 20
    netlab("heal")
    netlab("cut", "a1", "flat")
    assert datagrams("a1", "a2", "239.1.2.3")[0] == 0
    assert datagrams("a1", "a2", "198.18.1.77")[0] == 20
    netlab("heal", "a1", "flat")
    assert datagrams("a1", "a2", "239.1.2.3")[0] == 20
    netlab("partition", "a,n1", "b,c")
    assert datagrams("a1", "c1", "198.18.3.11")[0] == 0
    assert datagrams("n1", "a1", "198.18.1.11")[0] == 20
    assert datagrams("n1", "c1", "198.18.3.11")[0] == 0
    assert "cut: a1 and c1" in netlab("status")
    netlab("heal")


def test_a_loss_is_a_share_of_the_packets():
    end_shared()
    with laboratory("site a\nhost x site=a\nhost y site=a loss=20%\n"):
        count, _ = datagrams("x", "y", "198.18.1.12", count=2_000)
        # The cable loses at the end that a packet arrives at.
        assert 1_500 < count < 1_700, count


def test_nothing_remains_after_kill_9():
    end_shared()
    before = remains()
    with laboratory(DESCRIPTION) as process:
        sleeper = subprocess.Popen([NETLAB, "exec", "a1", "--", "sleep", "86399"])
        time.sleep(0.5)
        process.kill()
        process.wait()
        sleeper.wait()
    assert_remains_soon(before)


def test_down_ends_a_detached_laboratory():
    end_shared()
    before = remains()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"{LAB}.network"
        path.write_text("site a\nhost x site=a\n")
        netlab("up", path, "--bare", "--program", "/bin/true", "--detach")
        assert "x " in netlab("status")
        assert "runs already" in netlab("up", path, "--bare", "--program", "/bin/true", code=2)
        netlab("down")
    # The kernel closes the last process's sockets before it takes the process off its list.
    assert_remains_soon(before)


def assert_remains_soon(before: list[str]):
    end = time.monotonic() + 5
    while (now := remains()) != before and time.monotonic() < end:
        time.sleep(0.05)
    assert now == before, (before, now)


def remains() -> list[str]:
    """What a laboratory of this test might leave behind: processes, sockets, interfaces, files."""
    processes = subprocess.run(["pgrep", "-f", f"{LAB}.network|sleep 86399"], capture_output=True, text=True)
    sockets = [
        line.split()[-1] for line in pathlib.Path("/proc/net/unix").read_text().splitlines()
        if re.search(f"@netlab-{LAB}", line)]
    return [*processes.stdout.split(), *sockets, *sorted(os.listdir("/sys/class/net")),
            *(str(path) for path in pathlib.Path("/run/netlab").glob("*"))]


def main() -> int:
    tests = {name: body for name, body in globals().items() if name.startswith("test_")}
    failed = 0
    for name in sys.argv[1:] or tests:
        try:
            tests[name]()
            print(f"passed: {name}", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAILED: {name}: {type(error).__name__}: {error}", flush=True)
    end_shared()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
