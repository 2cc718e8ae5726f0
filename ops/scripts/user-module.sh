#!/usr/bin/env bash
# Shows that users' tests run in the simulator from a module of their own: copies the example, program and tests, into a
# fresh module that requires tallymq (replaced by this checkout), and runs it as a user would.
#   user-module.sh [FOLDER]        a temporary one that is removed afterwards, unless it is named
# Needs the go command alone, and the modules of go.sum in its cache or a proxy.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-}
if [ -z "$folder" ]; then
	folder=$(mktemp -d)
	trap 'rm -rf "$folder"' EXIT
fi
mkdir -p "$folder"
export CGO_ENABLED=${CGO_ENABLED:-0}

(cd "$root" && go build -o "$folder/tallymq" ./ops/tallymq)
# The project's own tests skip themselves without the overlay; a user's do not.
for file in "$root"/simtest/example/payments/*.go; do
	sed -e '/SkipWithoutOverlay/d' -e '/"github.com\/tallymq\/tallymq\/simtest"$/d' "$file" >"$folder/$(basename "$file")"
done
cp "$root/go.sum" "$folder/"
cd "$folder"
rm -f go.mod
go mod init example.com/payments
go mod edit -toolchain="$(cd "$root" && go mod edit -json | sed -n 's/.*"Toolchain": "\(.*\)".*/\1/p')" \
	-require=github.com/tallymq/tallymq@v0.0.0 -replace=github.com/tallymq/tallymq="$root"
go mod tidy

echo "--- without the overlay: must fail, and say how to build"
if go test -count=1 . >without.log 2>&1; then
	cat without.log
	echo "FAIL: the tests pass without the overlay"
	exit 1
fi
grep -m1 -F 'go test -overlay=$(tallymq sim overlay) ./...' without.log

echo "--- with it: the right consumer survives, the wrong ones are caught"
go test -count=1 -overlay="$(./tallymq sim overlay)" -v . >with.log 2>&1 || {
	tail -n 100 with.log
	exit 1
}
grep -E '^(    )?---|^ *payments_test.go:.*(held|as it should)|^ok' with.log | cut -c1-200

echo "--- one seed of a wrong one, as its report says: must fail again"
if TALLYMQ_SIM_SEED=1 go test -count=1 -overlay="$(./tallymq sim overlay)" -run '^TestWrongConsumersAreCaught$/^commits_before_it_posts$' . >again.log 2>&1; then
	echo "FAIL: the seed does not fail again"
	exit 1
fi
grep -m1 'every payment is posted' again.log
