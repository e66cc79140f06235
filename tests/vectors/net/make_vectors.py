#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the frames of this folder: [flags of net_fuzz.c][Ethernet frame]. Shares no code with the stack.

Checksums are left 0: the fuzz target makes them right.
"""
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
OUR_MAC, PEER_MAC, ALL_MAC = bytes([2, 0, 0, 0, 0, 1]), bytes([2, 0, 0, 0, 0, 99]), b'\xff' * 6
GROUP_MAC = bytes([0x33, 0x33, 0xff, 0xab, 0xcd, 0xef])
OUR4, PEER4 = bytes([192, 0, 2, 2]), bytes([192, 0, 2, 1])
OUR6 = bytes([0x20, 1, 0x0d, 0xb8] + [0] * 9 + [0xab, 0xcd, 0xef])
PEER6 = bytes([0x20, 1, 0x0d, 0xb8] + [0] * 11 + [1])
GROUP6 = bytes([0xff, 2] + [0] * 9 + [1, 0xff, 0xab, 0xcd, 0xef])
VLAN, KERNEL, AS_THEY_ARE, GOOD, BAD, TENTATIVE, ANY = 1, 2, 4, 8, 16, 32, 64


def ethernet(payload, kind, to=OUR_MAC, vlan=None):
    tag = b'' if vlan is None else struct.pack('>HH', 0x8100, vlan)
    return to + PEER_MAC + tag + struct.pack('>H', kind) + payload


def ip4(protocol, payload, to=OUR4, source=PEER4, flags=0x4000):
    return struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(payload), 0, flags, 64, protocol, 0) + source + to + payload


def ip6(protocol, payload, to=OUR6, source=PEER6, hops=255):
    return struct.pack('>IHBB', 6 << 28, len(payload), protocol, hops) + source + to + payload


def udp(payload, to=9292, source=40000):
    return struct.pack('>HHHH', source, to, 8 + len(payload), 0) + payload


def arp(operation, sender_ip=PEER4, target_ip=OUR4, sender_mac=PEER_MAC):
    return struct.pack('>HHBBH', 1, 0x0800, 6, 4, operation) + sender_mac + sender_ip + bytes(6) + target_ip


def neighbour(kind, flags=0, option=1):
    return struct.pack('>BBHI', kind, 0, 0, flags) + OUR6 + bytes([option, 1]) + PEER_MAC


def write(name, flags, frame, note):
    with open(os.path.join(HERE, name + '.hex'), 'w', encoding='utf-8') as f:
        f.write(f'# {note}\n')
        text = (bytes([flags]) + frame).hex()
        f.writelines(text[i:i + 64] + '\n' for i in range(0, len(text), 64))


def main():
    echo4 = struct.pack('>BBHHH', 8, 0, 0, 7, 1) + b'abcdefgh'
    echo6 = struct.pack('>BBHHH', 128, 0, 0, 7, 1) + b'abcdefgh'
    write('udp4', 0, ethernet(ip4(17, udp(b'hello')), 0x0800), 'a datagram over IPv4')
    write('udp4_vlan', VLAN, ethernet(ip4(17, udp(b'hello')), 0x0800, vlan=0x2007), 'the same in our VLAN')
    write('udp4_as_is', AS_THEY_ARE, ethernet(ip4(17, udp(b'hello')), 0x0800), 'checksums wrong and absent')
    write('udp4_good', GOOD | AS_THEY_ARE, ethernet(ip4(17, udp(b'hello')), 0x0800), 'the device judged the checksums')
    write('udp4_bad', BAD, ethernet(ip4(17, udp(b'hello')), 0x0800), 'the device refused the checksum')
    write('udp4_closed', 0, ethernet(ip4(17, udp(b'hello', to=53)), 0x0800), 'port unreachable')
    write('udp4_fragment', 0, ethernet(ip4(17, udp(b'hello'), flags=0x2000), 0x0800), 'a first fragment')
    write('udp4_broadcast', 0, ethernet(ip4(17, udp(b'hello', to=53)), 0x0800, to=ALL_MAC), 'to all: no error back')
    write('udp4_any', KERNEL | ANY, ethernet(ip4(17, udp(b'hello')), 0x0800), 'any address, the kernel answers')
    write('udp4_padded', 0, ethernet(ip4(17, udp(b'')), 0x0800) + bytes(18), 'an empty datagram and Ethernet padding')
    write('udp6', 0, ethernet(ip6(17, udp(b'hello')), 0x86dd), 'a datagram over IPv6')
    write('udp6_closed', 0, ethernet(ip6(17, udp(b'hello', to=53)), 0x86dd), 'port unreachable over IPv6')
    write('udp6_vlan', VLAN, ethernet(ip6(17, udp(b'hello')), 0x86dd, vlan=7), 'IPv6 in our VLAN')
    write('udp6_hop', 0, ethernet(ip6(0, bytes([17, 0, 1, 4, 0, 0, 0, 0]) + udp(b'hello')), 0x86dd), 'a hop-by-hop header')
    write('echo4', 0, ethernet(ip4(1, echo4), 0x0800), 'ping')
    write('echo4_group', 0, ethernet(ip4(1, echo4), 0x0800, to=ALL_MAC), 'ping to all: no answer')
    write('echo6', 0, ethernet(ip6(58, echo6), 0x86dd), 'ping over IPv6')
    write('icmp4_error', 0, ethernet(ip4(1, struct.pack('>BBHI', 3, 3, 0, 0) + ip4(17, udp(b''))), 0x0800), 'an error that comes in')
    write('arp', 0, ethernet(arp(1), 0x0806, to=ALL_MAC), 'who has our address')
    write('arp_vlan', VLAN, ethernet(arp(1), 0x0806, to=ALL_MAC, vlan=7), 'the same in our VLAN')
    write('arp_claim', 0, ethernet(arp(1, sender_ip=OUR4), 0x0806, to=ALL_MAC), 'another host claims our address')
    write('arp_reply', 0, ethernet(arp(2), 0x0806), 'an answer that nobody asked for')
    write('solicit', 0, ethernet(ip6(58, neighbour(135), to=GROUP6), 0x86dd, to=GROUP_MAC), 'neighbour solicitation')
    write('solicit_unicast', 0, ethernet(ip6(58, neighbour(135)), 0x86dd), 'the same to us alone')
    write('solicit_tentative', TENTATIVE, ethernet(ip6(58, neighbour(135), to=GROUP6), 0x86dd, to=GROUP_MAC), 'while we probe')
    probe = struct.pack('>BBHI', 135, 0, 0, 0) + OUR6
    write('probe', 0, ethernet(ip6(58, probe, to=GROUP6, source=bytes(16)), 0x86dd, to=GROUP_MAC), 'a probe for our address')
    write('advert', 0, ethernet(ip6(58, neighbour(136, 0x20000000, 2)), 0x86dd), 'an advertisement of our address')
    write('listener', 0, ethernet(ip6(58, struct.pack('>BBHHH', 143, 0, 0, 0, 0), hops=1), 0x86dd), 'a listener report')


if __name__ == '__main__':
    main()
