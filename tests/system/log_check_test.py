#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""log_check itself, given logs with one thing wrong each: it must say which. Segments, CRC-32C and content hash are made
here, by Kafka's format and the SipHash paper, with no code of the project: what log_check says of a good log is held
against that too.

  log_check_test.py LOG_CHECK
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

MASK = 2**64 - 1
TOPIC, PARTITIONS, BATCHES, RECORDS = 'bad', 3, 4, 5
CLEAN = dict.fromkeys(('crc_failures', 'gaps', 'bad_batches', 'out_of_order', 'duplicates'), 0)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def siphash24(key, data):
    k0, k1 = struct.unpack('<QQ', key)
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def left(x, bits):
        return (x << bits | x >> 64 - bits) & MASK

    def rounds(count):
        for _ in range(count):
            v[0] = v[0] + v[1] & MASK
            v[1] = left(v[1], 13) ^ v[0]
            v[0] = left(v[0], 32)
            v[2] = v[2] + v[3] & MASK
            v[3] = left(v[3], 16) ^ v[2]
            v[0] = v[0] + v[3] & MASK
            v[3] = left(v[3], 21) ^ v[0]
            v[2] = v[2] + v[1] & MASK
            v[1] = left(v[1], 17) ^ v[2]
            v[2] = left(v[2], 32)

    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 255])
    for (word,) in struct.iter_unpack('<Q', padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def record_digest(value):
    """Of a record without a key."""
    return siphash24(struct.pack('<Qii', siphash24(b'penstock record1', b''), -1, len(value)), value)


def varint(number):
    number = number << 1 if number >= 0 else (-number << 1) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def batch(base_offset, values):
    """Record batch v2 of records without keys."""
    records = b''
    for delta, value in enumerate(values):
        body = b'\0' + varint(0) + varint(delta) + varint(-1) + varint(len(value)) + value + varint(0)
        records += varint(len(body)) + body
    covered = struct.pack('>hiqqqhii', 0, len(values) - 1, 0, 0, 1, 0, 0, len(values)) + records
    return struct.pack('>qiib', base_offset, 9 + len(covered), 0, 2) + struct.pack('>I', crc32c(covered)) + covered


def good_values():
    """[partition][batch][record]: two producers take turns, each counting by itself in each partition."""
    return [[[f'{b % 2}:{b // 2 * RECORDS + r}:{"x" * (p + r)}'.encode() for r in range(RECORDS)] for b in range(BATCHES)]
            for p in range(PARTITIONS)]


def good_bytes():
    return [[batch(b * RECORDS, values) for b, values in enumerate(partition)] for partition in good_values()]


def check(program, partitions, *, order=True, split=2):
    """Writes the batches as segments of `split` and prepared space behind; the exit status and what log_check says."""
    place = tempfile.mkdtemp(prefix='penstock-log-check-')
    try:
        for p, batches in enumerate(partitions):
            folder = os.path.join(place, f'{TOPIC}-{p}')
            os.mkdir(folder)
            for first in range(0, len(batches), split):
                with open(os.path.join(folder, f'{first * RECORDS:020d}.log'), 'wb') as file:
                    file.write(b''.join(batches[first:first + split]) + bytes(512))
        done = subprocess.run([program, place, TOPIC, *(['--order'] if order else [])], stdout=subprocess.PIPE, text=True,
                              timeout=60, check=False)
        return done.returncode, json.loads(done.stdout)
    finally:
        shutil.rmtree(place)


def expect(program, what, partitions, **found):
    status, said = check(program, partitions)
    faults = {name: said[name] for name in CLEAN}
    assert status == 2 and faults == {**CLEAN, **found}, (what, status, said)
    print(f'{what}: {found}')


def a_good_log(program):
    values = [value for partition in good_values() for values in partition for value in values]
    status, said = check(program, good_bytes())
    digest = sum(map(record_digest, values)) % 2**64
    assert status == 0, said
    assert said == {**CLEAN, 'partitions': PARTITIONS, 'batches': PARTITIONS * BATCHES, 'records': len(values),
                    'digest': f'{digest:016x}'}, (said, digest)
    return said


def offsets(partition):
    """Batches of such values under offsets without a gap: what only the producers' numbers betray."""
    return [batch(b * RECORDS, values) for b, values in enumerate(partition)]


def main():
    program = sys.argv[1]
    good = a_good_log(program)

    def changed(change, source=good_bytes, after=lambda partition: partition):
        partitions = source()
        change(partitions[1])
        partitions[1] = after(partitions[1])
        return partitions if source is good_bytes else [partitions[1] if p == 1 else offsets(partitions[p])
                                                        for p in range(PARTITIONS)]

    def by_values(change):
        return changed(change, good_values, offsets)

    def spoil(at, bit=1):
        def change(partition):
            data = bytearray(partition[1])
            data[at] ^= bit
            partition[1] = bytes(data)
        return change

    def swap(partition):
        partition[0][1], partition[0][2] = partition[0][2], partition[0][1]

    expect(program, 'a byte of a record', changed(spoil(-2, 4)), crc_failures=1)
    expect(program, 'a byte of the CRC', changed(spoil(17)), crc_failures=1)
    expect(program, 'a batch is missing', changed(lambda p: p.pop(1)), gaps=1)
    expect(program, 'the first batch is missing', changed(lambda p: p.pop(0)), gaps=1)
    expect(program, 'batches in the wrong order', changed(lambda p: p.insert(0, p.pop(1))), gaps=3)
    expect(program, 'a batch that is there twice', changed(lambda p: p.insert(1, p[1])), gaps=1, out_of_order=1)
    expect(program, 'a length beyond the end', changed(spoil(9)), bad_batches=1, gaps=1)
    expect(program, 'two records changed places', by_values(swap), out_of_order=1)
    expect(program, 'a record that is there twice', by_values(lambda p: p[0].insert(2, p[0][1])), duplicates=1, gaps=1)
    expect(program, "another producer's record is no number", by_values(lambda p: p[0].__setitem__(0, b'nonsense')),
           out_of_order=1)
    # Under sound offsets only count and content tell: what the tests compare with the producers' own.
    status, said = check(program, by_values(lambda p: p[3].pop()))
    assert status == 0 and said['records'] == good['records'] - 1 and said['digest'] != good['digest'], said
    status, said = check(program, by_values(lambda p: p[3].__setitem__(4, p[3][4][:-1] + b'y')))
    assert status == 0 and said['records'] == good['records'] and said['digest'] != good['digest'], said
    return 0


if __name__ == '__main__':
    sys.exit(main())
