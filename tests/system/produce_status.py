# SPDX-License-Identifier: Apache-2.0
"""The file through which a running produce_check tells how far it is (--status), and is told to end."""
import mmap
import os
import struct
import time

STATUS_BYTES, STOP_AT = 40, 32
ACK_SECONDS = 60  # producers that were told nothing back off up to a second; the rest is a slow machine


class Status:
    """The file through which the producer tells how far it is, and is told to end."""

    def __init__(self, path):
        until = time.monotonic() + 30
        while not os.path.exists(path) or os.path.getsize(path) < STATUS_BYTES:
            assert time.monotonic() < until, 'the producer did not start'
            time.sleep(0.01)
        with open(path, 'r+b') as file:
            self.view = mmap.mmap(file.fileno(), STATUS_BYTES)

    def read(self):
        return dict(zip(('last_ack_ns', 'sent', 'durable', 'failed'), struct.unpack('<4Q', self.view[:STOP_AT])))

    def stop(self):
        self.view[STOP_AT:STATUS_BYTES] = struct.pack('<Q', 1)

    def wait_ack(self, daemon, what):
        before = self.read()['durable']
        until = time.monotonic() + ACK_SECONDS
        while self.read()['durable'] <= before:
            assert time.monotonic() < until, f'no ack {what}: {self.read()}\n{daemon.log()[-3000:]}'
            time.sleep(0.002)
