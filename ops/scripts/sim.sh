#!/usr/bin/env bash
# The check of the simulator: its own tests that need the overlay (known plans, scenarios, narrow worlds, equal
# hashes, the user's example), then fixed seeds, every third of them twice, then as many that nobody has run.
#   sim.sh [SEEDS [JOBS]]
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=${1:-6} jobs=${2:-1}
mkdir -p .cache/sim
overlay=$(go run ./simtest/internal/overlaypath)
CGO_ENABLED=0 go test -p 1 -timeout 15m -overlay="$overlay" ./simtest ./simtest/cluster ./simtest/narrow ./simtest/tallysim ./simtest/example/...
go build -o .cache/sim/tallymq ./ops/tallymq
.cache/sim/tallymq sim run --seeds "1..$seeds" --twice 3 --jobs "$jobs"
.cache/sim/tallymq sim run --fresh "$seeds" --twice 0 --jobs "$jobs"
