#!/usr/bin/env bash
# Runs the fuzz targets of the project for a while each, all of them whatever fails, and prints a line for each.
#   fuzz.sh [TIME [REGEXP]]     REGEXP chooses among lines like "./engine/batch FuzzValidate"; PARALLEL=n workers (default: all CPUs)
# A failing input is kept by go test under testdata/fuzz of the package: commit it with the fix.
set -uo pipefail
time=${1:-10s} only=${2:-.}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0

attempt() { # DIR TARGET
	go test "$1" -run '^$' -fuzz "^$2\$" -fuzztime "$time" -timeout 0 ${PARALLEL:+-parallel "$PARALLEL"} >"$log" 2>&1
}
# deadline tells the race of Go's fuzzing coordinator (golang/go#75804, fixed in 1.27): the end of -fuzztime itself is
# reported as a failure. It is no finding if nothing else is said and no input was written.
deadline() { grep -q '^ *context deadline exceeded$' "$log" && ! grep -qE 'Failing input written|panic:|_test\.go:' "$log"; }

while read -r dir target; do
	note=""
	if ! attempt "$dir" "$target"; then
		if deadline && go test "$dir" -run "^$target\$" >/dev/null 2>&1; then
			note=" (ended by golang/go#75804)"
		else
			failed=$((failed + 1))
			echo "FAIL  $dir $target"
			tail -n 40 "$log" | sed 's/^/      /'
			continue
		fi
	fi
	echo "ok    $dir $target $(grep -oE 'execs: [0-9]+' "$log" | tail -1)$note"
done < <(grep -rl --include='*_test.go' --exclude-dir=.cache '^func Fuzz' . | sort | while read -r file; do
	grep -o '^func Fuzz[A-Za-z0-9_]*' "$file" | sed "s|^func |$(dirname "$file") |"
done | grep -E "$only")
[ "$failed" = 0 ]
