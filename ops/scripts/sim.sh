#!/usr/bin/env bash
# The check of the simulator: fixed seeds, every third of them twice, then as many that nobody has run.
#   sim.sh [SEEDS [JOBS]]
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=${1:-6} jobs=${2:-1}
mkdir -p .cache/sim
go build -o .cache/sim/tallymq ./ops/tallymq
.cache/sim/tallymq sim run --seeds "1..$seeds" --twice 3 --jobs "$jobs"
.cache/sim/tallymq sim run --fresh "$seeds" --twice 0 --jobs "$jobs"
