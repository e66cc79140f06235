#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A control socket before the real one, that changes answers of drop.list: what the CLI says when a ledger does not add up.

As a program it stands for penstockd, so that what starts a daemon by itself meets it too:
  spoiling_proxy.py PENSTOCKD ARGUMENTS ...   with --state DIR among them
"""
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time


def off_by(difference):
    """A change: the first visible equation of the first lane is off by so much."""
    def change(ledger):
        equation = next(e for e in ledger['lanes'][0]['equations'] if e['visible'])
        equation['difference'] = difference
        ledger['adds_up'] = ledger['lanes'][0]['adds_up'] = False
    return change


def blind(ledger):
    """A change: a driver that shows neither a term nor, with it, the equation."""
    equation = next(e for e in ledger['lanes'][0]['equations'] if e['visible'])
    equation['visible'], equation['difference'] = False, None
    equation['terms'][0]['value'] = None


class Proxy:
    def __init__(self, path, real, change):
        self.real, self.change = real, change
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.socket.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.real)
            threading.Thread(target=self.carry, args=(near, far, lambda line: line), daemon=True).start()
            threading.Thread(target=self.carry, args=(far, near, self.spoil), daemon=True).start()

    def spoil(self, line):
        message = json.loads(line)
        if 'adds_up' in (message.get('result') or {}):
            self.change(message['result'])
        return json.dumps(message).encode() + b'\n'

    @staticmethod
    def carry(source, sink, change):
        try:
            for line in source.makefile('rb'):
                sink.sendall(change(line))
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def main(program, *words):
    state = words[words.index('--state') + 1]
    real, near = os.path.join(state, 'real.sock'), os.path.join(state, 'ctl.sock')
    daemon = subprocess.Popen([program, *words, '--set', f'ctl.socket={real}'])
    signal.signal(signal.SIGTERM, lambda *_: daemon.terminate())
    while not os.path.exists(real) and daemon.poll() is None:
        time.sleep(0.01)
    if daemon.poll() is None:
        Proxy(near, real, off_by(7))
    status = daemon.wait()
    if os.path.exists(near):
        os.remove(near)
    return status


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
