#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The installed header as C89-minded C++ users meet it, and the symbols that the shared library shows.
# usage: header_check.sh CXX HEADER LIBRARY
set -eu
cxx=$1 header=$2 library=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if command -v "$cxx" >/dev/null; then
	printf '#include "%s"\n#include "%s"\nint main() { return penstock_version() == 0; }\n' \
		"$header" "$header" >"$work/main.cc"
	"$cxx" -xc++ -std=c++11 -pedantic -Wall -Wextra -Werror -c "$work/main.cc" -o "$work/main.o"
fi

# What the header declares, and nothing else of ours.
grep -o 'penstock_[a-z_]*(' "$header" | tr -d '(' | sort -u >"$work/declared"
nm -D --defined-only "$library" | awk '$2 ~ /[TDBRW]/ { print $3 }' |
	grep -v -e '^_' -e '^__' | sed 's/@.*//' | sort -u >"$work/shown"
if ! diff "$work/declared" "$work/shown"; then
	echo "declared (<) and shown (>) symbols differ" >&2
	exit 1
fi
