#!/usr/bin/env bash
# Three nodes on this machine: Kafka 9092-9094, AMQP 5672-5674, admin 8080-8082. Logs and data under ./data. Ctrl-C stops them.
set -euo pipefail
bin=${1:-bin/tallymq}
initial=1=127.0.0.1:7101/127.0.0.1:7201,2=127.0.0.1:7102/127.0.0.1:7202,3=127.0.0.1:7103/127.0.0.1:7203
mkdir -p data
pids=()
stop() {
	trap - EXIT INT TERM
	echo "stopping"
	kill -TERM "${pids[@]}" 2>/dev/null || true
	wait || true
}
trap stop EXIT INT TERM
for i in 1 2 3; do
	"$bin" serve --node-id "$i" --data-dir "data/node$i" --kafka-listen "127.0.0.1:909$((i + 1))" --amqp-listen "127.0.0.1:567$((i + 1))" --admin-listen "127.0.0.1:808$((i - 1))" \
		--raft-listen "127.0.0.1:710$i" --rpc-listen "127.0.0.1:720$i" --initial-cluster "$initial" >"data/node$i.log" 2>&1 &
	pids+=($!)
	echo "node $i: pid $! kafka 127.0.0.1:909$((i + 1)) amqp 127.0.0.1:567$((i + 1)) admin http://127.0.0.1:808$((i - 1)) log data/node$i.log"
done
for _ in $(seq 300); do
	ready=0
	for i in 1 2 3; do grep -q '^ready' "data/node$i.log" && ready=$((ready + 1)); done
	[ "$ready" = 3 ] && break
	sleep 0.2
done
[ "$ready" = 3 ] && echo "ready: bootstrap 127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094" || echo "not all nodes are ready yet: see the logs"
wait
