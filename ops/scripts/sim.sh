#!/usr/bin/env bash
# Runs seeds of the simulator: a world of three Raft hosts, and a world of three whole nodes with real clients.
#   sim.sh [SEEDS [FIRST]]
# Each seed is a process of its own, bounded in memory and time; every third runs twice, and its hashes must be equal.
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=${1:-6} first=${2:-1}
out=.cache/sim
memory=${SIM_MEMORY_KIB:-6000000} seconds=${SIM_SECONDS:-120}
mkdir -p "$out"
export CGO_ENABLED=0
overlay=$(go run ./simtest/internal/overlaypath)
go test -c -overlay="$overlay" -o "$out/raft.test" ./simtest
go test -c -overlay="$overlay" -o "$out/cluster.test" ./simtest/cluster
passed=0 failed=0

# world BINARY FOLDER TEST SEED LOG: one process; prints its hash.
world() {
	(
		ulimit -v "$memory"
		cd "$2"
		GOMAXPROCS=1 GOGC=off GODEBUG=asyncpreemptoff=1 TALLYMQ_SIM_SEED=$4 TALLYMQ_SIM_TRACE="$5.trace" \
			timeout "$seconds" "$1" -test.v -test.timeout=0 -test.run "^$3\$"
	) >"$5" 2>&1 || return 1
	grep -q '^--- PASS' "$5" || return 1
	grep -oE 'hash[= ][0-9a-f]+' "$5" | tail -1
}

# again BINARY FOLDER TEST SEED: the command that repeats a world, from the checkout's root.
again() {
	echo "(cd $2 && GOMAXPROCS=1 GOGC=off GODEBUG=asyncpreemptoff=1 TALLYMQ_SIM_SEED=$4 $PWD/$out/$1 -test.v -test.timeout=0 -test.run '^$3\$')"
}

run() { # BINARY FOLDER TEST SEED
	local log="$out/$3-$4.log" one two began=$SECONDS
	if ! one=$(world "$PWD/$out/$1" "$2" "$3" "$4" "$PWD/$log"); then
		failed=$((failed + 1))
		echo "FAIL $3 seed $4 after $((SECONDS - began)) s: see $log and $log.trace; again:"
		echo "     $(again "$@")"
		tail -n 15 "$log" | sed 's/^/     /'
		return
	fi
	if [ $((($4 - first) % 3)) = 0 ]; then
		if ! two=$(world "$PWD/$out/$1" "$2" "$3" "$4" "$PWD/$log.2") || [ "$one" != "$two" ]; then
			failed=$((failed + 1))
			echo "FAIL $3 seed $4: two runs differ: '$one' and '${two:-none}'; the first event that differs, then again:"
			cmp -s "$log.trace" "$log.2.trace" || diff "$log.trace" "$log.2.trace" | head -n 6 | cut -c1-300 | sed 's/^/     /'
			echo "     $(again "$@")"
			return
		fi
		one="$one, twice"
	fi
	rm -f "$log.trace" "$log.2.trace"
	passed=$((passed + 1))
	echo "ok   $3 seed $4: $one, $((SECONDS - began)) s"
}

for seed in $(seq "$first" $((first + seeds - 1))); do
	run raft.test simtest TestRaftSurvivesThePlan "$seed"
	run cluster.test simtest/cluster TestKafkaSurvivesThePlan "$seed"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
