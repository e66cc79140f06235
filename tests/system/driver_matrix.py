#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nic/ and net/ over each driver that this machine can run, with the kernel or itself as the peer.

Usage: driver_matrix.py NIC_ECHO [DRIVER...]. Needs root: every case with an interface runs in two
network namespaces of its own, named after the process id and removed in the end. Exit 77 with the
reason when nothing can run here. Each case ends with nic_echo's own ledger, which must add up.
"""
import json
import os
import signal
import subprocess
import sys
import time

from netns import OURS4, OURS6, PEER4, PEER6, Hugepages, Skip, Wire, run

PORT = 9292
READY_SECONDS = 20

# Runs inside the peer's namespace: echo of every size, closed port, both families.
PEER_SCRIPT = """
import socket, struct, sys

def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    total = (total & 65535) + (total >> 16)
    return ~((total & 65535) + (total >> 16)) & 65535

def ping(family, address):
    # The kernel fills in the checksum of ICMPv6, not that of ICMP.
    v4 = family == socket.AF_INET
    s = socket.socket(family, socket.SOCK_RAW,
                      socket.IPPROTO_ICMP if v4 else socket.IPPROTO_ICMPV6)
    s.settimeout(2)
    for number in range(2):
        head = struct.pack('!BBHHH', 8 if v4 else 128, 0, 0, 77, number)
        data = head + b'penstock'
        data = data[:2] + struct.pack('!H', checksum(data)) + data[4:] if v4 else data
        s.sendto(data, (address, 0))
        while True:
            answer = s.recv(2000)
            answer = answer[20:] if v4 else answer
            if answer[0] == (0 if v4 else 129) and answer[4:8] == data[4:8]:
                assert answer[8:] == b'penstock'
                break

port, count, mtu, needed = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
got = strange = 0
for family, address in ((socket.AF_INET, '192.0.2.2'), (socket.AF_INET6, '2001:db8::2')):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(0.2)
    s.connect((address, port))
    largest = mtu - (28 if family == socket.AF_INET else 48)
    for i in range(count):
        size = (i * 97) % largest + 1 if i else largest
        data = bytes((i + k) & 255 for k in range(size))
        for attempt in range(8 if needed == 1.0 else 1):
            try:
                s.send(data)
                # A late echo of an earlier try may come first; a wrong one never matches.
                while s.recv(65535) != data:
                    strange += 1
                got += 1
                break
            except (socket.timeout, ConnectionRefusedError):
                continue
    s.connect((address, 53))
    refused = False
    for attempt in range(3):
        try:
            s.send(b'x')
            s.recv(100)
        except ConnectionRefusedError:
            refused = True
            break
        except socket.timeout:
            pass
    assert refused or needed < 1.0, 'closed port is not unreachable'
    if needed == 1.0:
        ping(family, address)
share = got / (2 * count)
print('share', share)
assert strange < 20, 'echoes that match nothing'
assert share >= needed if needed == 1.0 else needed <= share < 1.0, share
"""


class Echo:
    """One nic_echo process, in a namespace or not."""

    def __init__(self, program, *words, space=None):
        prefix = ["ip", "netns", "exec", space] if space else []
        self.words = words
        env = dict(os.environ)
        if "af_xdp" in words:
            env["ASAN_OPTIONS"] = "detect_leaks=0"  # libxdp keeps 80 bytes of each umem
        self.child = subprocess.Popen([*prefix, program, *words], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True, env=env)

    def ready(self):
        """Waits for its first line. EAL loads every driver it finds, which takes seconds here."""
        line = self.child.stdout.readline()
        if line.strip() != "ready":
            _, error = self.child.communicate(timeout=READY_SECONDS)
            if self.child.returncode == 77:
                raise Skip(error.strip().splitlines()[-1])
            raise RuntimeError(f"nic_echo {' '.join(self.words)}: {error}")

    def end(self, stop=True):
        if stop:
            self.child.send_signal(signal.SIGTERM)
        out, error = self.child.communicate(timeout=90)
        if self.child.returncode != 0:
            raise RuntimeError(f"nic_echo {' '.join(self.words)}: exit {self.child.returncode}\n{out}{error}")
        return json.loads(out.strip().splitlines()[-1])

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.communicate()


def ask_from(wire, count, mtu, needed):
    done = wire.inside(wire.spaces[1], sys.executable, "-c", PEER_SCRIPT, str(PORT), str(count),
                       str(mtu), str(needed), check=False)
    if done.returncode != 0:
        raise RuntimeError(f"peer: {done.stdout}{done.stderr}")


def case_interface(program, number, driver, devargs="", vlan=0, loss_ppm=0, hugepages=False):
    """af_packet or af_xdp on one end of a veth pair, kernel sockets on the other."""
    with Wire(number, vlan) as wire:
        words = ["--driver", driver, "--devargs", f"iface={wire.links[0]}{devargs}",
                 "--address", OURS4, "--address", OURS6, "--prefix", f"psn{os.getpid()}{number}",
                 "--vlan", str(vlan), "--loss-ppm", str(loss_ppm)]
        echo = Echo(program, *words, *(["--hugepages"] if hugepages else []), space=wire.spaces[0])
        try:
            echo.ready()
            # A tagged frame is 4 bytes longer than af_packet's slots and af_xdp's MTU allow for.
            ask_from(wire, 300, 1496 if vlan else 1500, 0.5 if loss_ppm else 1.0)
            ledger = echo.end()
        finally:
            echo.kill()
    assert ledger["native"] >= (300 if loss_ppm else 600), ledger
    assert ledger.get("udp_csum", 0) == 0, ledger
    if driver == "af_packet":
        assert ledger["imissed"] is None, ledger
    if loss_ppm:
        assert ledger["fault_lost"] > 0, ledger
    else:
        assert ledger["icmp"] >= 4 and ledger["ndp"] >= 1 and ledger["arp"] >= 1, ledger
    return ledger


def case_memif(program, number, mtu=1500, queues=1, vlan=0, hugepages=False, options=""):
    """Two processes: one asks, the other echoes. Nothing may be lost."""
    prefix = f"psn{os.getpid()}{number}"
    common = ["--driver", "memif", "--mtu", str(mtu), "--queues", str(queues), "--vlan", str(vlan)]
    common += ["--hugepages"] if hugepages else []
    args = f"id=0,socket={prefix},bsize={9216 if mtu > 1500 else 2048}"
    server = Echo(program, *common, "--devargs", f"role=server,{args}", "--address", OURS4,
                  "--prefix", prefix + "s")
    client = None
    try:
        server.ready()
        client = Echo(program, *common, "--devargs", f"role=client,{args}{options}", "--address", PEER4,
                      "--prefix", prefix + "c", "--ask", OURS4, "--count", "3000",
                      "--bytes", str(mtu - 28), "--keeps", "2048" if "zero-copy" in options else "0")
        client.ready()
        asked = client.end(stop=False)
        ledger = server.end()
    finally:
        server.kill()
        if client:
            client.kill()
    assert asked["answered"] == 3000 and asked["asked"] == 3000, asked
    assert ledger["native"] == 3000 and ledger["ipackets"] == ledger["rx_packets"], ledger
    return ledger


def case_tap(program, number):
    """A real kernel stack on the other side of a tap device, in a namespace."""
    space, link = f"psn{os.getpid()}{number}", f"pst{os.getpid()}"[-15:]
    run("ip", "netns", "add", space)
    echo = Echo(program, "--driver", "tap", "--devargs", f"iface={link}", "--address", OURS4,
                "--address", OURS6, "--prefix", space, space=space)
    try:
        echo.ready()
        # The driver gives its own address to the kernel's end too; a host that has ours is a conflict.
        run("ip", "-n", space, "link", "set", link, "address", "02:00:00:00:00:63", "up")
        run("ip", "-n", space, "addr", "add", f"{PEER4}/24", "dev", link)
        run("ip", "-n", space, "addr", "add", f"{PEER6}/64", "dev", link, "nodad")
        done = run("ip", "netns", "exec", space, sys.executable, "-c", PEER_SCRIPT, str(PORT), "200",
                   "1500", "1.0", check=False)
        assert done.returncode == 0, done.stderr
        ledger = echo.end()
    finally:
        echo.kill()
        run("ip", "netns", "del", space, check=False)
    assert ledger["native"] >= 400, ledger
    return ledger


def with_hugepages(count, case, *words, **options):
    with Hugepages(count):
        return case(*words, hugepages=True, **options)


def cases(program):
    yield "memif", lambda: case_memif(program, 1)
    yield "memif, MTU 9000", lambda: case_memif(program, 2, mtu=9000)
    yield "memif, 2 queues", lambda: case_memif(program, 3, queues=2)
    yield "memif, VLAN 7", lambda: case_memif(program, 12, vlan=7)
    yield "memif, hugepages, zero copy", lambda: with_hugepages(
        160, case_memif, program, 4, options=",zero-copy=yes")
    yield "af_packet", lambda: case_interface(program, 5, "af_packet")
    yield "af_packet, VLAN 7", lambda: case_interface(program, 6, "af_packet", vlan=7)
    yield "af_packet, 10 % lost by the decorator", lambda: case_interface(
        program, 7, "af_packet", loss_ppm=100000)
    yield "af_packet, hugepages", lambda: with_hugepages(80, case_interface, program, 8, "af_packet")
    yield "af_xdp", lambda: case_interface(program, 9, "af_xdp")
    yield "af_xdp, hugepages", lambda: with_hugepages(80, case_interface, program, 10, "af_xdp")
    yield "tap", lambda: case_tap(program, 11)


def main():
    program, wanted = sys.argv[1], sys.argv[2:]
    if os.geteuid() != 0:
        print("skipped: needs root for network namespaces and packet sockets")
        return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that namespaces are removed
    ran = failed = 0
    for name, case in cases(program):
        if wanted and name.split(",")[0] not in wanted:
            continue
        begun = time.monotonic()
        try:
            ledger = case()
        except Skip as reason:
            print(f"skip {name}: {reason}", flush=True)
            continue
        except (RuntimeError, AssertionError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"FAIL {name}: {error}", flush=True)
            continue
        ran += 1
        print(f"ok   {name}: {ledger['rx_packets']} packets, {time.monotonic() - begun:.1f} s", flush=True)
    if failed:
        return 1
    return 0 if ran else 77


if __name__ == "__main__":
    sys.exit(main())
