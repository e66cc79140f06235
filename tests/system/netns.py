# SPDX-License-Identifier: Apache-2.0
"""What system tests make of the machine's network and memory, and put back: two namespaces with a veth pair between them,
hugepages. Needs root. Names hold the process id, so that two runs do not meet."""
import atexit
import json
import os
import subprocess

OURS4, PEER4 = "192.0.2.2", "192.0.2.1"
OURS6, PEER6 = "2001:db8::2", "2001:db8::1"


class Skip(Exception):
    """A case that cannot run here, with the reason."""


def run(*words, check=True):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done


class Wire:
    """Two namespaces and a veth pair between them: `a` is ours, without addresses, `b` the peer's. Without ip6 the peer's
    kernel sends nothing on its own."""

    def __init__(self, number, vlan=0, ip6=True):
        self.spaces = [f"psn{os.getpid()}{number}{end}" for end in "ab"]
        self.links = [f"v{os.getpid()}{number}{end}"[-15:] for end in "ab"]
        self.vlan, self.ip6 = vlan, ip6

    def __enter__(self):
        atexit.register(self.close)
        a, b = self.spaces
        la, lb = self.links
        for space in self.spaces:
            run("ip", "netns", "add", space)
        made = run("ip", "-n", a, "link", "add", la, "type", "veth", "peer", "name", lb, "netns", b,
                   check=False)
        if made.returncode != 0:
            self.close()
            raise Skip(f"no veth: {made.stderr.strip()}")
        self.inside(a, "sysctl", "-q", "-w", f"net.ipv6.conf.{la}.disable_ipv6=1", check=False)
        quiet = "accept_dad=0" if self.ip6 else "disable_ipv6=1"
        self.inside(b, "sysctl", "-q", "-w", f"net.ipv6.conf.{lb}.{quiet}", check=False)
        self.inside(b, "ethtool", "-K", lb, "tx", "off", check=False)
        self.inside(b, "ethtool", "-K", lb, "gro", "on", check=False)
        run("ip", "-n", a, "link", "set", la, "up")
        run("ip", "-n", b, "link", "set", lb, "up")
        run("ip", "-n", b, "link", "set", "lo", "up")
        carrier = lb
        if self.vlan:
            carrier = f"{lb}.{self.vlan}"[-15:]
            made = run("ip", "-n", b, "link", "add", "link", lb, "name", carrier, "type", "vlan", "id",
                       str(self.vlan), check=False)
            if made.returncode != 0:
                self.close()
                raise Skip(f"no VLAN links in this kernel: {made.stderr.strip()}")
            run("ip", "-n", b, "link", "set", carrier, "up")
        run("ip", "-n", b, "addr", "add", f"{PEER4}/24", "dev", carrier)
        if self.ip6:
            run("ip", "-n", b, "addr", "add", f"{PEER6}/64", "dev", carrier, "nodad")
        return self

    def inside(self, space, *words, check=True):
        return run("ip", "netns", "exec", space, *words, check=check)

    def peer_sent(self):
        """Packets that the peer's end has sent so far."""
        shown = run("ip", "-n", self.spaces[1], "-j", "-s", "link", "show", "dev", self.links[1])
        return json.loads(shown.stdout)[0]["stats64"]["tx"]["packets"]

    def forget_neighbours(self):
        """The peer asks for none of them again before it has something to send."""
        run("ip", "-n", self.spaces[1], "neigh", "flush", "dev", self.links[1])

    def close(self):
        for space in self.spaces:
            run("ip", "netns", "del", space, check=False)

    def __exit__(self, *_):
        self.close()
        atexit.unregister(self.close)


class Tun:
    """A namespace for a tap device that somebody else makes, and the set-up of its kernel end."""

    def __init__(self, number, vlan=0):
        self.space, self.link, self.vlan = f"psn{os.getpid()}{number}", f"t{os.getpid()}{number}"[-15:], vlan

    def __enter__(self):
        atexit.register(self.close)
        run("ip", "netns", "add", self.space)
        # The kernel sends nothing on its own.
        run("ip", "netns", "exec", self.space, "sysctl", "-q", "-w", "net.ipv6.conf.default.disable_ipv6=1", check=False)
        run("ip", "-n", self.space, "link", "set", "lo", "up")
        return self

    def up(self):
        """Once the device is there; again after it was made anew. Returns whether the kernel speaks on it: not every kernel has
        VLAN links."""
        carrier = f"{self.link}.{self.vlan}"[-15:] if self.vlan else self.link
        if PEER4 in run("ip", "-n", self.space, "addr", "show", "dev", carrier, check=False).stdout:
            return True
        # The driver gives its own address to the kernel's end too; a host that has ours is a conflict.
        run("ip", "-n", self.space, "link", "set", self.link, "address", "02:00:00:00:00:63", "up")
        if self.vlan:
            made = run("ip", "-n", self.space, "link", "add", "link", self.link, "name", carrier, "type", "vlan", "id",
                       str(self.vlan), check=False)
            if made.returncode != 0:
                return False
            run("ip", "-n", self.space, "link", "set", carrier, "up")
        run("ip", "-n", self.space, "addr", "add", f"{PEER4}/24", "dev", carrier)
        return True

    def kernel_sent(self):
        shown = run("ip", "-n", self.space, "-j", "-s", "link", "show", "dev", self.link)
        return json.loads(shown.stdout)[0]["stats64"]["tx"]["packets"]

    def close(self):
        run("ip", "netns", "del", self.space, check=False)

    def __exit__(self, *_):
        self.close()
        atexit.unregister(self.close)


def free_hugepages():
    with open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", encoding="ascii") as file:
        return int(file.read())


class Hugepages:
    """Raises the pool while a case runs, and puts it back."""

    def __init__(self, count):
        self.count = count

    def __enter__(self):
        self.path = "/proc/sys/vm/nr_hugepages"
        with open(self.path, encoding="ascii") as file:
            self.before = int(file.read())
        with open(self.path, "w", encoding="ascii") as file:
            file.write(str(self.before + self.count))
        atexit.register(self.close)
        if free_hugepages() < self.count:
            self.close()
            raise Skip("not enough memory for hugepages")

    def close(self):
        with open(self.path, "w", encoding="ascii") as file:
            file.write(str(self.before))

    def __exit__(self, *_):
        self.close()
        atexit.unregister(self.close)
