#!/usr/bin/env bash
# tallymq with one and three nodes beside raw dragonboat on the same journal, in one run.
set -euo pipefail
exec go run ./ops/benchmark -bin "${1:-bin/tallymq}" -rounds "${ROUNDS:-3}" -duration "${DURATION:-6s}" ${OUT:+-out "$OUT"} ${WORK:+-work "$WORK"}
