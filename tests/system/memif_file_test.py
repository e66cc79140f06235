#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A memif server whose socket is a file (`socket-abstract=no`) leaves it when it is killed. The next start removes it; where
somebody listens, or where it is no socket, the error names the file and what mends it, and nothing is removed."""
import json
import os
import tempfile

from penstock_daemon import Daemon


def port(path):
    return 'ports=' + json.dumps([{'driver': 'vdev', 'address': ['192.0.2.2'],
                                   'devargs': f'net_memif0,role=server,id=0,socket={path},socket-abstract=no,bsize=2048'}])


def refusal(path):
    """What a daemon that may not have the file says."""
    with tempfile.TemporaryDirectory() as state:
        daemon = Daemon(port(path), state=state, port=9292)
        try:
            daemon.start()
        except AssertionError as error:
            return str(error)
        daemon.kill()
        raise AssertionError(f'it started over {path}')


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'm.sock')
        with Daemon(port(path), port=9292) as daemon:
            daemon.kill()
            assert os.path.exists(path)
            daemon.start()
            assert f'removed {path}' in daemon.log(), daemon.log()
            said = refusal(path)
            assert f'another process listens on {path}' in said and 'ss -xlp' in said, said
            assert daemon.stop() == 0 and not os.path.exists(path)
        with open(path, 'w', encoding='utf-8') as file:
            file.write('precious')
        said = refusal(path)
        assert f'{path} is there and no socket' in said, said
        assert os.path.getsize(path) == 8
    print('memif socket file: removed when stale, named when not')


if __name__ == '__main__':
    main()
