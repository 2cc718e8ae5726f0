#!/usr/bin/env bash
# Runs every fuzz target of the project for a while each.
set -euo pipefail
time=${1:-10s}
grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do
	dir=$(dirname "$file")
	for f in $(grep -o '^func Fuzz[A-Za-z0-9_]*' "$file" | sed 's/^func //'); do
		echo "== $dir $f"
		go test "$dir" -run '^$' -fuzz "^$f\$" -fuzztime "$time"
	done
done
