#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the golden bytes of the native protocol and of record batches.

An encoder of its own: it shares nothing with the C code but docs/protocols/native.md, so that a mistake
has to be made twice to pass. Without arguments it writes the files; with --check it writes nothing and
fails if a file is missing, differs or is left over.

The engine offers neither AUTH nor FRAG yet. Frames with AUTH among the others are there for layout and head_crc; ../native_auth has
the key chain and what it protects, FRAG of three the batch ../record_batch/large. They are for the version that offers both.
"""
import hashlib
import hmac
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
BATCHES = HERE.parent / "record_batch"
PROTECTED = HERE.parent / "native_auth"

SESSION = 0x1A2B3C4D00100005
NONCE = bytes(range(0x10, 0x20))
SERVER_NONCE = bytes(range(0x20, 0x30))
TOKEN = bytes(range(0x30, 0x40))
SECRET = bytes(range(16))
PSK = bytes(range(32))

HELLO, DATA, FRAG, PING, RESOLVE, CLOSE, PROBE = 1, 3, 4, 5, 6, 7, 8
RETRY, ACCEPT, ACK, RESET, RESOLVED, CLOSED, PROBED, VERSION = (
    0x81, 0x82, 0x83, 0x84, 0x86, 0x87, 0x88, 0x89)
AUTH, ENCRYPTED, ACK_NOW = 1, 2, 4


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def siphash24(key, data):
    mask = (1 << 64) - 1
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D,
         k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rotl(x, b):
        return ((x << b) | (x >> (64 - b))) & mask

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & mask
            v[1] = rotl(v[1], 13) ^ v[0]
            v[0] = rotl(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = rotl(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = rotl(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = rotl(v[1], 17) ^ v[2]
            v[2] = rotl(v[2], 32)

    padded = data + bytes((7 - len(data)) % 8) + bytes([len(data) & 0xFF])
    for (m,) in struct.iter_unpack("<Q", padded):
        v[3] ^= m
        rounds(2)
        v[0] ^= m
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def varint(value):
    zigzag = (value << 1) ^ (value >> 63)
    zigzag &= (1 << 64) - 1
    out = b""
    while zigzag > 0x7F:
        out += bytes([zigzag & 0x7F | 0x80])
        zigzag >>= 7
    return out + bytes([zigzag])


# --- record batches ------------------------------------------------------------------------------


def record(index, delta_ms, key, value, headers=()):
    def nullable(b):
        return varint(-1) if b is None else varint(len(b)) + b

    body = b"\0" + varint(delta_ms) + varint(index) + nullable(key) + nullable(value)
    body += varint(len(headers))
    for name, text in headers:
        body += varint(len(name)) + name + nullable(text)
    return varint(len(body)) + body


def batch(records, *, base_offset=0, epoch=-1, attributes=0, first_ms=1700000000000, max_ms=None,
          pid=-1, pepoch=-1, seq=-1, count=None, last_delta=None, magic=2, length=None, crc=None):
    count = len(records) if count is None else count
    last_delta = count - 1 if last_delta is None else last_delta
    body = b"".join(records)
    max_ms = first_ms if max_ms is None else max_ms
    tail = struct.pack(">hiqqqhii", attributes, last_delta, first_ms, max_ms, pid, pepoch, seq,
                       count) + body
    length = len(tail) + 9 if length is None else length
    crc = crc32c(tail) if crc is None else crc
    return struct.pack(">qiibI", base_offset, length, epoch, magic, crc) + tail


ONE = [record(0, 0, b"k", b"v0")]
TWO = ONE + [record(1, 5, None, b"v1", [(b"h", b"x"), (b"n", None)])]
OURS = dict(pid=9001, pepoch=4, seq=42)
BATCH = batch(ONE, **OURS)

# --- frames --------------------------------------------------------------------------------------


def frame(kind, body=b"", *, flags=0, session=SESSION, pn=0, delta=0, stream=0, send_us=0, version=1,
          magic=b"PN", body_len=None, crc=None, tag=b""):
    head = magic + struct.pack("<BBHHQQIII", version, kind, flags,
                               len(body) if body_len is None else body_len, session, pn, delta, stream,
                               send_us)
    covered = body[:21] if kind == DATA else body
    crc = crc32c(head + covered) if crc is None else crc
    return head + struct.pack("<I", crc) + body + tag


def data(body=BATCH, **kw):
    args = dict(pn=7, delta=3, stream=5, send_us=1000000)
    args.update(kw)
    return frame(DATA, body, **args)


def hello_body(*, ver=(1, 1), auth=0, flags=0, key_id=0, nonce=NONCE, pid=-1, epoch=-1,
               datagram=1472, lane=0xFFFF, cookie=b"", cookie_len=None, name=b"", name_len=None,
               pad=None, size=1160):
    body = struct.pack("<BBBBI", ver[0], ver[1], auth, flags, key_id) + nonce
    body += struct.pack("<qhHHBB", pid, epoch, datagram, lane,
                        len(cookie) if cookie_len is None else cookie_len,
                        len(name) if name_len is None else name_len)
    body += cookie.ljust(16, b"\0") + name
    body = body.ljust(size, b"\0")
    return body if pad is None else body[:-1] + pad


def hello(flags=0, tag=b"", **kw):
    return frame(HELLO, hello_body(**kw), flags=flags, session=0, tag=tag)


def cookie(address, port, time_s=1700000000, index=1, nonce=NONCE):
    hashed = address + struct.pack("<H", port) + nonce + struct.pack("<IB", time_s, index)
    return struct.pack("<IB3xQ", time_s, index, siphash24(SECRET, hashed))


IPV4 = bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 7])
IPV6 = bytes.fromhex("20010db8000000000000000000000007")
COOKIE = cookie(IPV4, 40000)


def accept_body():
    return (NONCE + SERVER_NONCE
            + struct.pack("<qhHHHIIIHHQQQQ", 9001, 4, 1, 2, 1472, 1048588, 15000, 200, 16, 1024,
                          262144, 128, 1700000000000000, 0x0102030405060708) + TOKEN)


def hkdf_expand(key, info, length):
    out = block = b""
    counter = 1
    while len(out) < length:
        block = hmac.digest(key, block + info + bytes([counter]), "sha256")
        out += block
        counter += 1
    return out[:length]


def auth_tag(name, text):
    key = hkdf_expand(hmac.digest(bytes(32), PSK, "sha256"), name, 32)
    return hmac.digest(key, text, "sha256")[:16]


# --- AES-128-GCM (FIPS 197, SP 800-38D), slow and plain --------------------------------------------


def gf_times_2(byte):
    return (byte << 1) ^ (0x11B if byte & 0x80 else 0)


def aes_tables():
    """The S-box, from inverses in GF(2^8)."""
    powers, logs, value = [], {}, 1
    for n in range(255):
        powers.append(value)
        logs[value] = n
        value ^= gf_times_2(value)  # times 3, a generator
    box = []
    for byte in range(256):
        x = powers[-logs[byte] % 255] if byte else 0
        y = x
        for _ in range(4):
            x = (x << 1 | x >> 7) & 0xFF
            y ^= x
        box.append(y ^ 0x63)
    return box


BOX = aes_tables()


def aes_round_keys(key):
    words, constant = [list(key[i:i + 4]) for i in range(0, 16, 4)], 1
    for i in range(4, 44):
        word = list(words[-1])
        if i % 4 == 0:
            word = [BOX[b] for b in word[1:] + word[:1]]
            word[0] ^= constant
            constant = gf_times_2(constant)
        words.append([a ^ b for a, b in zip(word, words[i - 4])])
    return [sum(words[i:i + 4], []) for i in range(0, 44, 4)]


def aes_block(key, block):
    keys = aes_round_keys(key)
    state = [a ^ b for a, b in zip(block, keys[0])]
    for number, round_key in enumerate(keys[1:], 1):
        state = [BOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if number < 10:
            mixed = []
            for column in range(0, 16, 4):
                c = state[column:column + 4]
                mixed += [gf_times_2(c[i]) ^ gf_times_2(c[(i + 1) % 4]) ^ c[(i + 1) % 4] ^ c[(i + 2) % 4] ^ c[(i + 3) % 4]
                          for i in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, round_key)]
    return bytes(state)


def ghash(h, data):
    y = 0
    for i in range(0, len(data), 16):
        y ^= int.from_bytes(data[i:i + 16].ljust(16, b"\0"), "big")
        product, v = 0, h
        for bit in range(127, -1, -1):
            product ^= v if y >> bit & 1 else 0
            v = (v >> 1) ^ (0xE1 << 120 if v & 1 else 0)
        y = product
    return y


def gcm(key, nonce, plain, aad):
    """Ciphertext and tag."""
    def pad(data):
        return data + bytes(-len(data) % 16)

    out = b""
    for i in range(0, len(plain), 16):
        stream = aes_block(key, nonce + struct.pack(">I", i // 16 + 2))
        out += bytes(a ^ b for a, b in zip(plain[i:i + 16], stream))
    h = int.from_bytes(aes_block(key, bytes(16)), "big")
    tag = ghash(h, pad(aad) + pad(out) + struct.pack(">QQ", 8 * len(aad), 8 * len(out)))
    tag ^= int.from_bytes(aes_block(key, nonce + b"\0\0\0\1"), "big")
    return out, tag.to_bytes(16, "big")


def chain(direction, number=0):
    """prk, secret, key and iv of a direction's packets with that key number."""
    prk = hmac.digest(NONCE + SERVER_NONCE, PSK, "sha256")
    secret = hkdf_expand(prk, direction + struct.pack("<Q", SESSION), 32)
    both = hkdf_expand(secret, b"pn1 key" + struct.pack("<I", number), 28)
    return prk, secret, both[:16], both[16:]


def nonce_of(iv, pn):
    return bytes(a ^ b for a, b in zip(iv, bytes(4) + struct.pack(">Q", pn)))


def protect(raw, direction=b"pn1 c2s"):
    """A frame with AUTH, and maybe ENCRYPTED, among its flags, as it goes on the wire."""
    pn = struct.unpack_from("<Q", raw, 16)[0]
    _, _, key, iv = chain(direction, pn >> 22)
    if raw[4] & ENCRYPTED:
        hidden, tag = gcm(key, nonce_of(iv, pn), raw[40:], raw[:40])
        return raw[:40] + hidden + tag
    return raw + gcm(key, nonce_of(iv, pn), b"", raw)[1]


def resolve_body(name=b"orders", request=77, first=0, flags=1, name_len=None):
    return struct.pack("<IIBBH", request, first, len(name) if name_len is None else name_len, flags,
                       0) + name


def resolved_body(entries, *, error=0, partitions=None, first=0):
    partitions = len(entries) if partitions is None else partitions
    known = error == 0
    out = struct.pack("<IhHII", 77, error, len(entries), partitions, first)
    out += bytes(range(0x40, 0x50)) if known else bytes(16)
    out += struct.pack("<II", 1048588 if known else 0, 3 if known else 0)
    for entry in entries:
        out += struct.pack("<IiHH", *entry)
    return out


def ack_body(*, upto, echo, credit, words, entries, ecn=0, busy=0):
    out = struct.pack("<QQIIQQIHBB", upto, *echo, *credit, ecn, busy, len(words), len(entries))
    for word in words:
        out += struct.pack("<Q", word)
    for stream, received, durable, error, error_seq, offset in entries:
        out += struct.pack("<IiihHiIq", stream, received, durable, error, 0, error_seq, 0, offset)
    return out


def ack_full():
    words = [(0x0101010101010101 * (w + 1)) & ((1 << 64) - 1) for w in range(16)]
    entries = [(i + 1, 1000 + i, 900 + i, 45 if i == 23 else 0, 1001 + i if i == 23 else -1,
                (1 << 40) + i) for i in range(24)]
    return frame(ACK, ack_body(upto=100000, echo=(100900, 0xFFFFFFF0, 250), ecn=3, busy=21,
                               credit=(1 << 33, 1 << 20), words=words, entries=entries), pn=9)


LARGE = batch([record(i, 0, b"k%d" % i, bytes((i * 37 + j) & 0xFF for j in range(900))) for i in range(3)], **OURS)
FRAGMENT_BYTES = 1200 - 40 - 16  # what a path of 1,200 bytes carries


def frag(index, count, payload, **kw):
    body = struct.pack("<iIIHH", 42, len(LARGE), index * FRAGMENT_BYTES, index, count) + payload
    return frame(FRAG, body, pn=20 + index, delta=3 + index, stream=5, send_us=2000000 + index, **kw)


def fragments():
    pieces = [LARGE[i:i + FRAGMENT_BYTES] for i in range(0, len(LARGE), FRAGMENT_BYTES)]
    return [frag(i, len(pieces), piece) for i, piece in enumerate(pieces)]


def protected():
    """The key chain and what it makes of frames: name -> (what it is, bytes)."""
    prk, c2s, key, iv = chain(b"pn1 c2s")
    _, s2c, key_back, iv_back = chain(b"pn1 s2c")
    _, _, key1, iv1 = chain(b"pn1 c2s", 1)
    extract = hmac.digest(bytes(32), PSK, "sha256")
    first = 1 << 22  # the first packet of key number 1
    return {
        "hello_key": ("of the pre-shared key 00..1f", hkdf_expand(extract, b"pn1 hello", 32)),
        "accept_key": ("of the same", hkdf_expand(extract, b"pn1 accept", 32)),
        "prk": ("client_nonce 10..1f, server_nonce 20..2f", prk),
        "secret_c2s": ("session 1a2b3c4d00100005", c2s),
        "secret_s2c": ("session 1a2b3c4d00100005", s2c),
        "key_c2s_0": ("key and iv of packets 1 to 4194303", key + iv),
        "key_c2s_1": ("key and iv of packets 4194304 to 8388607", key1 + iv1),
        "key_s2c_0": ("key and iv of the server's packets 1 to 4194303", key_back + iv_back),
        "nonce_c2s_7": ("of packet 7", nonce_of(iv, 7)),
        "data": ("DATA, packet 7, integrity", protect(data(flags=AUTH))),
        "data_encrypted": ("DATA, packet 7, encrypted", protect(data(flags=AUTH | ENCRYPTED))),
        "data_key_1": ("DATA, packet 4194304, integrity", protect(data(flags=AUTH, pn=first))),
        "data_encrypted_key_1": ("DATA, packet 4194304, encrypted", protect(data(flags=AUTH | ENCRYPTED, pn=first))),
        "ack_encrypted": ("ACK, the server's packet 3, encrypted", protect(frame(
            ACK, ack_body(upto=4, echo=(7, 1000000, 35), credit=(1 << 20, 512), words=[4], entries=[(5, 42, 41, 0, -1, 1041)]),
            pn=3, send_us=77, flags=AUTH | ENCRYPTED), b"pn1 s2c")),
    }


def probe(size, payload):
    return frame(PROBE, struct.pack("<H", size).ljust(payload - 40, b"\0"), pn=11, delta=1)


def good_frames():
    hello_auth = hello(flags=AUTH, auth=1, key_id=7, cookie=COOKIE, name=b"sensor")
    accept_auth = frame(ACCEPT, accept_body(), flags=AUTH)
    return {
        "hello_first": hello(),
        "hello_cookie": hello(cookie=COOKIE, name=b"sensor"),
        "hello_join": frame(HELLO, hello_body(flags=1, pid=9001, epoch=4, lane=1, cookie=COOKIE),
                            session=0),
        "hello_auth": hello_auth + auth_tag(b"pn1 hello", hello_auth),
        "retry": frame(RETRY, NONCE + COOKIE + struct.pack("<HHI", 1, 9293, 0), session=0),
        "accept": frame(ACCEPT, accept_body()),
        "accept_auth": accept_auth + auth_tag(b"pn1 accept", hello_auth + accept_auth),
        "version": frame(VERSION, NONCE + struct.pack("<BBH", 1, 1, 0), session=0),
        "resolve": frame(RESOLVE, resolve_body(), pn=2, delta=1, send_us=5),
        "resolved": frame(RESOLVED, resolved_body([(5, 0, 1, 1), (6, 0, 0, 3)]), pn=2),
        "resolved_error": frame(RESOLVED, resolved_body([], error=3), pn=2),
        "resolved_full": frame(RESOLVED, resolved_body(
            [(i + 1, 7, i % 4, 1) for i in range(90)], partitions=200, first=90), pn=3),
        "data": data(),
        "data_auth": protect(data(flags=AUTH)),
        **{f"frag_{i}": raw for i, raw in enumerate(fragments())},
        "ping": frame(PING, flags=ACK_NOW, pn=8, delta=4, stream=5, send_us=1000250),
        "ping_padded": frame(PING, bytes(20), pn=8, delta=4),
        "ack": frame(ACK, ack_body(upto=4, echo=(7, 1000000, 35), credit=(1 << 20, 512), words=[4],
                                   entries=[(5, 42, 41, 0, -1, 1041)]), pn=3, send_us=77),
        "ack_full": ack_full(),
        "probe": probe(1472, 1472),
        "probed": frame(PROBED, struct.pack("<HH", 1472, 0), pn=12),
        "close": frame(CLOSE, struct.pack("<HH", 12, 0) + bytes(16), pn=13, delta=1),
        "closed": frame(CLOSED, struct.pack("<HHI", 6, 0, 0), pn=14),
        "closed_hello": frame(CLOSED, struct.pack("<HHI", 5, 0, 2000) + NONCE, session=0),
        "reset": frame(RESET, TOKEN + struct.pack("<HH", 1, 0), pn=7),
    }


# What else makes those frames bad whose bytes alone do not show it.
SESSION_NOTES = {
    "session_address": "from another address than the session's",
    "pn_seen": "the session has received pn 8",
    "hello_auth_1": "from a server without keys, which gave this cookie",
    "hello_auth_2": "from a server without keys, which gave this cookie",
    "data_old": "the topic takes a day before now and an hour after; now is 1700000000000",
    "data_future": "the topic takes a day before now and an hour after; now is 1700000000000",
    "data_large": "ACCEPT named max_datagram 1472, so max_batch_bytes 1432",
    "probe_large": "ACCEPT named max_datagram 1472",
    "close_again": "the session has ended by its CLOSE",
}


def bad_frames():
    """One row and more a row of the malformed-input table: name -> (what must come of it, bytes).

    `session x`: the codec accepts the frame, a session in the state of SESSION_NOTES must answer with x.
    """
    good = data()
    ping = dict(pn=8, delta=4)
    rows = {
        "short_empty": ("frame_short", b""),
        "short_39": ("frame_short", good[:39]),
        "magic": ("frame_magic", frame(PING, magic=b"PQ", **ping)),
        "type_server": ("frame_type", frame(ACK, good[40:], **ping)),
        "type_unknown": ("frame_type", frame(0x02, **ping)),
        "type_zero": ("frame_type", frame(0x00, **ping)),
        "version_0": ("frame_version", frame(PING, version=0, **ping)),
        "version_2_hello": ("frame_version", frame(HELLO, hello_body(ver=(2, 2)), version=2, session=0)),
        "flags_bit3": ("frame_flags", frame(PING, flags=8, **ping)),
        "flags_bit7": ("frame_flags", frame(PING, flags=0x80, **ping)),
        "flags_encrypted_alone": ("frame_flags", frame(PING, flags=ENCRYPTED, **ping)),
        "length_more": ("frame_length", frame(PING, body_len=1, **ping)),
        "length_less": ("frame_length", data(body_len=70)),
        "length_tag_missing": ("frame_length", frame(PING, flags=AUTH, **ping)),
        "length_tag_extra": ("frame_length", frame(PING, tag=bytes(16), **ping)),
        "crc_header": ("frame_crc", good[:28] + b"\x06" + good[29:]),
        "crc_body": ("frame_crc", frame(RESOLVE, resolve_body(), pn=2, delta=1)[:-1] + b"z"),
        "crc_data_prefix": ("frame_crc", good[:40 + 20] + bytes([good[60] ^ 1]) + good[61:]),
        "session_unknown": ("session session_unknown", frame(PING, session=SESSION + 1, **ping)),
        "session_auth_extra": ("session auth_missing", frame(PING, flags=AUTH, tag=bytes(16), **ping)),
        "session_address": ("session session_address", frame(PING, **ping)),
        "pn_seen": ("session pn_duplicate", frame(PING, **ping)),
        "pn_zero": ("session pn_bad", frame(PING)),
        "pn_low_1024": ("session pn_bad", frame(PING, pn=5000, delta=1024)),
        "pn_low_all": ("session pn_bad", frame(PING, pn=8, delta=8)),
        "frag": ("session frag_unsupported", frame(FRAG, struct.pack("<iIIHH", 42, 100, 0, 0, 2)
                                                   + bytes(50), pn=7, delta=3, stream=5)),
        "hello_1199": ("hello_bad", hello(size=1159)),
        "hello_nonce_zero": ("hello_bad", hello(nonce=bytes(16))),
        "hello_name_65": ("hello_bad", hello(name=b"n" * 65)),
        "hello_name_utf8": ("hello_bad", hello(name=b"a\xc0\x80")),
        "hello_name_surrogate": ("hello_bad", hello(name=b"\xed\xa0\x80")),
        "hello_name_cut": ("hello_bad", hello(name=b"a\xe2\x82")),
        "hello_name_nul": ("hello_bad", hello(name=b"a\0b")),
        "hello_padding": ("hello_bad", hello(pad=b"\1")),
        "hello_cookie_len": ("hello_bad", hello(cookie=COOKIE, cookie_len=8)),
        "hello_cookie_unsaid": ("hello_bad", hello(cookie=COOKIE, cookie_len=0)),
        "hello_flag_bit2": ("hello_bad", frame(HELLO, hello_body(flags=4), session=0)),
        "hello_join_bump": ("hello_bad", frame(HELLO, hello_body(flags=3, pid=1, epoch=0), session=0)),
        "hello_auth_3": ("hello_bad", hello(auth=3)),
        "hello_datagram_1199": ("hello_bad", hello(datagram=1199)),
        "hello_id_alone": ("hello_bad", hello(pid=9001, epoch=4)),
        "hello_auth_1": ("session hello_auth",
                         hello(flags=AUTH, auth=1, key_id=7, cookie=COOKIE, tag=bytes(16))),
        "hello_auth_2": ("session hello_auth",
                         hello(flags=AUTH, auth=2, key_id=7, cookie=COOKIE, tag=bytes(16))),
        "hello_versions": ("version", hello(ver=(2, 3))),
        "hello_cookie_wrong": ("session cookie_bad", hello(cookie=COOKIE[:-1] + b"\0")),
        "resolve_short": ("control_bad", frame(RESOLVE, resolve_body()[:11], pn=2, delta=1)),
        "resolve_name_len": ("control_bad", frame(RESOLVE, resolve_body(name_len=7), pn=2, delta=1)),
        "resolve_name_more": ("control_bad", frame(RESOLVE, resolve_body(name_len=5), pn=2, delta=1)),
        "resolve_name_empty": ("topic_name", frame(RESOLVE, resolve_body(b""), pn=2, delta=1)),
        "resolve_name_dot": ("topic_name", frame(RESOLVE, resolve_body(b"."), pn=2, delta=1)),
        "resolve_name_dots": ("topic_name", frame(RESOLVE, resolve_body(b".."), pn=2, delta=1)),
        "resolve_name_250": ("topic_name", frame(RESOLVE, resolve_body(b"t" * 250), pn=2, delta=1)),
        "resolve_name_slash": ("topic_name", frame(RESOLVE, resolve_body(b"a/b"), pn=2, delta=1)),
        "ping_1": ("control_bad", frame(PING, b"\0", **ping)),
        "ping_not_zero": ("control_bad", frame(PING, bytes(19) + b"\1", **ping)),
        "close_19": ("control_bad", frame(CLOSE, bytes(19), pn=13, delta=1)),
        "close_21": ("control_bad", frame(CLOSE, bytes(21), pn=13, delta=1)),
        "close_again": ("session session_unknown", frame(CLOSE, struct.pack("<HH", 12, 0) + bytes(16),
                                                         pn=14, delta=1)),
        "probe_1": ("control_bad", frame(PROBE, b"\0", pn=11, delta=1)),
        "probe_size": ("probe_bad", probe(1400, 1300)),
        "probe_large": ("session probe_bad", probe(1473, 1473)),
        "frag_crc": ("frame_crc", fragments()[0][:-1] + bytes([fragments()[0][-1] ^ 1])),
        "stream_0": ("session refused 3", data(stream=0)),
        "data_60": ("refused 2", data(BATCH[:60])),
        "data_length": ("refused 2", data(batch(ONE, length=60, **OURS))),
        "data_magic": ("refused 2", data(batch(ONE, magic=1, **OURS))),
        "data_crc": ("session refused 2", data(batch(ONE, crc=1, **OURS))),
        "data_offset": ("refused 87", data(batch(ONE, base_offset=1, **OURS))),
        "data_count_0": ("refused 87", data(batch([], count=0, **OURS))),
        "data_count_negative": ("refused 87", data(batch(ONE, count=-1, **OURS))),
        "data_last_delta": ("refused 87", data(batch(ONE, last_delta=1, **OURS))),
        "data_control": ("refused 87", data(batch(ONE, attributes=0x20, **OURS))),
        "data_sequence": ("refused 87", data(batch(ONE, pid=9001, pepoch=4, seq=-1))),
        "data_codec": ("refused 76", data(batch(ONE, attributes=5, **OURS))),
        "data_transactional": ("refused 48", data(batch(ONE, attributes=0x10, **OURS))),
        "data_producer": ("session refused 47", data(batch(ONE, pid=9002, pepoch=4, seq=42))),
        "data_old": ("session refused 32",
                     data(batch(ONE, first_ms=1700000000000 - 86400000 - 1, **OURS))),
        "data_future": ("session refused 32",
                        data(batch(ONE, first_ms=1700000000000 + 3600000 + 1, **OURS))),
        "data_large": ("session refused 10", data(batch([record(0, 0, None, b"x" * 1363)], **OURS))),
        "data_epoch": ("session refused 47", data(batch(ONE, pid=9001, pepoch=3, seq=42))),
    }
    return rows


def record_batches():
    marker = b"\0" + varint(0) + varint(0) + varint(4) + struct.pack(">hh", 0, 1) + varint(6)
    marker += struct.pack(">hi", 0, 7) + varint(0)
    two = batch(TWO, max_ms=1700000000005)
    return {
        "one": BATCH,
        "two": two,
        "large": LARGE,
        "two_stored": struct.pack(">q", 100) + two[8:12] + struct.pack(">i", 5) + two[16:],
        "commit_marker": batch([varint(len(marker)) + marker], base_offset=42, epoch=3,
                               attributes=0x30, pid=9001, pepoch=4, seq=-1),
    }


def self_check():
    """Values that others computed: published ones, and those of two independent encoders."""
    assert crc32c(b"123456789") == 0xE3069283
    assert siphash24(SECRET, bytes(range(15))) == 0xA129CA6149BE45E5
    frames, batches = good_frames(), record_batches()

    def crc_of(name):
        return struct.unpack_from("<I", frames[name], 36)[0].to_bytes(4, "little").hex()

    assert BATCH[17:21].hex() == "ef379c6b" and len(BATCH) == 71
    assert batches["two"][17:21].hex() == "54baf446" and len(batches["two"]) == 87
    assert batches["commit_marker"][17:21].hex() == "614a7c34" and len(batches["commit_marker"]) == 78
    assert COOKIE.hex() == "00f15365010000005f2f6458a6ef92bf"
    expected = {"data": "e7400a5b", "ping": "7b8e6646", "ack": "b1069bb1", "retry": "872cc847",
                "hello_auth": "b4c92da6", "accept_auth": "766c0be3", "data_auth": "8db30792",
                "reset": "b119c66c"}
    for name, crc in expected.items():
        assert crc_of(name) == crc, (name, crc_of(name), crc)
    guarded = {name: raw for name, (_, raw) in protected().items()}
    assert guarded["hello_key"].hex() == "b8b922a3a576662d96d943caa81a5743f041a58db55cb665dbfe71a21398ccfb"
    assert guarded["accept_key"].hex() == "73011dce1092148008dab7b35fe277e8b9e9bf72cfceccf9d0da0594ec4b7031"
    assert guarded["prk"].hex() == "3dba9ce7b37931cdb631d1fc48a4ff9efd4c7af090a8658433c6df65f58be639"
    assert guarded["secret_c2s"].hex() == "63c12b79e40b0e8dbe0ea2819fa06597743b9c474a747fc23d872623afecbff1"
    assert guarded["secret_s2c"].hex() == "5d3291141e874cdde97d9714e0bd8b0576d02dce6593e615f974ac228fec47ea"
    assert guarded["key_c2s_0"].hex() == "ac0c1763a5a319799f23aebd8c487156" + "b51d3fa80484883d3c776ded"
    assert guarded["nonce_c2s_7"].hex() == "b51d3fa80484883d3c776dea"
    assert guarded["data"][-16:].hex() == "bd4089848df65f3f7fc33fd4c60e3ce5"
    assert guarded["data_encrypted"][40:].hex() == (
        "e6a9797c10ccb34830ea1b541e3754d67fc19c052a65d645b1465c153a827cfc78cb08da93eab0fd24cc57680c031bf609d2b23dbd2d15a2"
        "1f98ed0f0327fcaa7ab2f41ae4ee850e8fa754b21a286964403ae5d884aae3")
    assert len(guarded["data_encrypted"]) == 127 and len(fragments()) == 3
    # FIPS 197, appendix B, and case 4 of the GCM specification.
    assert aes_block(bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), bytes.fromhex("3243f6a8885a308d313198a2e0370734")).hex() == \
        "3925841d02dc09fbdc118597196a0b32"
    assert gcm(bytes.fromhex("feffe9928665731c6d6a8f9467308308"), bytes.fromhex("cafebabefacedbaddecaf888"), bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"),
        bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"))[1].hex() == "5bc94fbc3221a5db94fae95ae7121a47"
    assert frames["hello_auth"][-16:].hex() == "434aa5ac98fb5074a09f2326fe0d13b0"
    assert frames["accept_auth"][-16:].hex() == "f9f3f7fe2967e6cf9eb9b5956b3d8536"
    assert len(frames["ack_full"]) == 40 + 48 + 128 + 768
    assert len(bad_frames()["data_large"][1]) == 1473
    assert len(frames["probe"]) == 1472 and len(frames["reset"]) == 60


def text(raw, notes):
    lines = ["# " + note for note in notes]
    lines += [raw[i:i + 32].hex() for i in range(0, len(raw), 32)]
    return "\n".join(lines) + "\n"


def all_files():
    files = {}
    for name, raw in good_frames().items():
        files[HERE / (name + ".hex")] = text(raw, [f"{name}, {len(raw)} bytes"])
    for name, (expect, raw) in bad_frames().items():
        notes = ["expect: " + expect] + ([SESSION_NOTES[name]] if name in SESSION_NOTES else [])
        files[HERE / "bad" / (name + ".hex")] = text(raw, notes)
    for name, raw in record_batches().items():
        files[BATCHES / (name + ".hex")] = text(raw, [f"record batch {name}, {len(raw)} bytes"])
    for name, (what, raw) in protected().items():
        files[PROTECTED / (name + ".hex")] = text(raw, [what])
    claim = "secret 00..0f, index 1, client_nonce 10..1f, time 1700000000, port 40000, address "
    files[HERE / "cookie_ipv4.hex"] = text(COOKIE, [claim + "192.0.2.7"])
    files[HERE / "cookie_ipv6.hex"] = text(cookie(IPV6, 40000), [claim + "2001:db8::7"])
    token = hmac.digest(PSK, struct.pack("<Q", SESSION), hashlib.sha256)[:16]
    files[HERE / "reset_token.hex"] = text(token, ["reset_key 00..1f, session 1a2b3c4d00100005"])
    return files


def main():
    self_check()
    files = all_files()
    present = {p for d in (HERE, HERE / "bad", BATCHES, PROTECTED) for p in d.glob("*.hex")}
    if "--check" in sys.argv[1:]:
        wrong = [p for p, t in files.items() if p not in present or p.read_text() != t]
        wrong += sorted(present - set(files))
        for path in wrong:
            print(f"{path}: not what make_vectors.py writes")
        return 1 if wrong else 0
    for path in present - set(files):
        path.unlink()
    for path, content in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    print(f"{len(files)} vectors written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
