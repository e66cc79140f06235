#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A data directory on a small ext4 of its own that runs full under load. Producers are held off and told why, then somebody
else takes the last byte; a daemon that was killed starts there all the same, and topic.delete frees the space: what the
producers have waiting goes in, and the log holds every record that they sent, once. Needs root, for the mount."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from produce_status import Status
from penstock_daemon import ControlError, Daemon, log_check, produce, tool

IMAGE_MIB = 448
FREE_LOW_MIB = 32  # above 5 % of the image, which wins then
BALLAST_RECORDS, RECORD_BYTES, PARTITIONS, PRODUCERS = 100000, 1000, 4, 4
WAIT_SECONDS = 60
EXIT_SKIPPED = 77


def skip(why):
    print(f'skipped: {why}')
    sys.exit(EXIT_SKIPPED)


def mount_image(place):
    """A file system of its own, in the mount namespace of this process: it goes with us, whatever happens."""
    image, mounted = os.path.join(place, 'image'), os.path.join(place, 'disk')
    os.mkdir(mounted)
    with open(image, 'wb') as file:
        file.truncate(IMAGE_MIB << 20)
    subprocess.run(['mkfs.ext4', '-q', '-m', '0', image], check=True)
    done = subprocess.run(['mount', '-o', 'loop', image, mounted], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        skip(f'an image cannot be mounted here: {done.stderr.strip()}')
    return mounted


def free_bytes(mounted):
    stat = os.statvfs(mounted)
    return stat.f_bavail * stat.f_frsize


def wait_for(what, condition):
    until = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < until, f'waited {WAIT_SECONDS} s in vain: {what}'
        time.sleep(0.05)


def refuses(daemon):
    """The daemon serves, but says that it takes no records for want of disk space."""
    health = daemon.call('health.get')
    return health['live'] and not health['ready'] and any(reason.startswith('disk: ') for reason in health['reasons'])


def stands_still(status):
    """No ack for a second although records are on their way."""
    before = status.read()
    time.sleep(1)
    now = status.read()
    assert now['failed'] == 0, now
    return now['durable'] == before['durable'] and now['sent'] > now['durable']


def take_the_rest(mounted, name):
    """Somebody else's file, down to 0 bytes free."""
    with open(os.path.join(mounted, name), 'wb', buffering=0) as file:
        size = 1 << 20
        while size >= 512:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2


def producer_is_told(daemon):
    """What `penstock produce` says when the disk is full and it does not want to wait: as the daemon knows it, or, where only
    the address is known, as the log refused it."""
    for words, why in (((), f'disk: free space of {daemon.data_dir()} is below log.free.low'),
                       (('--bootstrap', daemon.bootstrap()), ': log storage failed or is full')):
        done = subprocess.run([tool('penstock'), 'produce', 'load', '--timeout', '2s', *words], input='one\n', capture_output=True,
                              text=True, env={**os.environ, 'PENSTOCK_SOCKET': os.path.join(daemon.state, 'ctl.sock')}, timeout=60,
                              check=False)
        assert done.returncode == 1 and 'error 1: not all records are durable' in done.stderr, done
        told = [line for line in done.stderr.splitlines() if line.startswith('  why   ')]
        assert why in told[0] and '  fix   ' in done.stderr, done.stderr


def run(daemon, mounted, status):
    status.wait_ack(daemon, 'at first')
    wait_for('the daemon refuses records', lambda: refuses(daemon))
    wait_for('producers are held off', lambda: stands_still(status))
    producer_is_told(daemon)
    take_the_rest(mounted, 'somebody-elses')
    assert free_bytes(mounted) < 4096 * 4, free_bytes(mounted)
    assert daemon.call('topic.list')['topics'], 'a full disk stopped the control socket'
    no_topic_fits(daemon, mounted)
    daemon.kill()
    daemon.start()
    # The start gave unused spares back; that is taken as well.
    take_the_rest(mounted, 'more-of-it')
    wait_for('the daemon refuses records after its start', lambda: refuses(daemon))
    held = status.read()
    status.stop()  # no more than what waits: at full speed they would fill the disk again
    assert held['sent'] > held['durable'], held
    assert (held['sent'] - held['durable']) * RECORD_BYTES < BALLAST_RECORDS * RECORD_BYTES // 2, held
    daemon.call('topic.delete', topic='ballast')
    wait_for('topic.delete frees space', lambda: free_bytes(mounted) > FREE_LOW_MIB * 5 // 4 << 20)
    wait_for('records are taken again', lambda: daemon.call('health.get')['ready'])
    return held['durable']


def no_topic_fits(daemon, mounted):
    """What cannot be made is undone, and the asker told how much room it takes."""
    try:
        daemon.call('topic.create', topic='too-much', partitions=64)
        raise AssertionError('64 partitions were made where nothing fits')
    except ControlError as error:
        assert error.kind == 'no_space' and error.data['path'] == os.path.join(mounted, 'log'), error
        assert error.data['free_bytes'] < error.data['needs_bytes'] <= (FREE_LOW_MIB << 20) * 5 // 4, error
    assert 'too-much' not in [topic['topic'] for topic in daemon.call('topic.list')['topics']]


def main():
    if os.geteuid() != 0:
        skip('needs root: it mounts a small file system and fills it')
    if '--inside' not in sys.argv:
        return subprocess.run(['unshare', '-m', '--propagation', 'private', sys.executable, __file__, '--inside'], check=False).returncode
    place = tempfile.mkdtemp(prefix='penstock-full-')
    try:
        mounted = mount_image(place)
        with Daemon(f'data.dirs={mounted}/log', f'log.free.low={FREE_LOW_MIB}MiB') as daemon:
            daemon.data_dir = lambda: os.path.join(mounted, 'log')
            daemon.call('topic.create', topic='ballast', partitions=PARTITIONS)
            produce(daemon, 'ballast', PARTITIONS, PRODUCERS, BALLAST_RECORDS, RECORD_BYTES)
            daemon.call('topic.create', topic='load', partitions=PARTITIONS)
            path = os.path.join(place, 'status')
            producer = subprocess.Popen(
                [tool('produce_check'), '--bootstrap', daemon.bootstrap(), '--topic', 'load', '--partitions', str(PARTITIONS),
                 '--producers', str(PRODUCERS), '--bytes', str(RECORD_BYTES), '--seconds', '3600', '--status', path],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            try:
                status = Status(path)
                held = run(daemon, mounted, status)
                out, err = producer.communicate(timeout=120)
            finally:
                if producer.poll() is None:
                    producer.kill()
                    producer.communicate()
            assert producer.returncode == 0, out + err
            report = json.loads(out)
            assert report['sent'] == report['durable'] > held, report
            produce(daemon, 'after', 1, 1, 1000, RECORD_BYTES)
            assert daemon.stop() == 0, daemon.log()[-3000:]
            found = log_check(daemon, 'load')
            assert found['records'] == report['sent'] and found['digest'] == report['digest'], (found, report)
            print(f'{held} records until it was full, {report["sent"]} in all: each there once')
    finally:
        subprocess.run(['umount', '--lazy', os.path.join(place, 'disk')], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(place, ignore_errors=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
