# To be sourced: real nodes for clients to talk to, and a tally of what they think of them.
#   start_nodes BINARY NODES [FLAG...]   sets work (a folder), seeds, pids; everything is stopped and removed at exit (KEEP=1 keeps the folder)
#   check NAME COMMAND...                runs a command, tells whether it succeeded, and how it ended if not
#   verdict                              tells how many did; fails if one did not
work=$(mktemp -d) pids=()
stop() {
	trap - EXIT INT TERM
	[ ${#pids[@]} = 0 ] || kill -9 "${pids[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
	[ -n "${KEEP:-}" ] && echo "kept: $work" || { chmod -R u+w "$work"; rm -rf "$work"; }
}
trap stop EXIT INT TERM

start_nodes() {
	local bin=$1 nodes=$2 i
	shift 2
	# Ports that nobody has: 4 for each node.
	mapfile -t port < <(/usr/bin/python3 -c 'import socket,sys
s=[socket.create_server(("127.0.0.1",0)) for _ in range(12)]
for x in s: print(x.getsockname()[1])')
	local initial=""
	seeds=""
	for i in $(seq "$nodes"); do
		initial+=${initial:+,}$i=127.0.0.1:${port[$((i * 4 - 2))]}/127.0.0.1:${port[$((i * 4 - 1))]}
		seeds+=${seeds:+,}127.0.0.1:${port[$((i * 4 - 4))]}
	done
	for i in $(seq "$nodes"); do
		"$bin" serve --node-id "$i" --data-dir "$work/n$i" --kafka-listen "127.0.0.1:${port[$((i * 4 - 4))]}" --amqp-listen off --admin-listen "127.0.0.1:${port[$((i * 4 - 3))]}" \
			--raft-listen "127.0.0.1:${port[$((i * 4 - 2))]}" --rpc-listen "127.0.0.1:${port[$((i * 4 - 1))]}" --initial-cluster "$initial" \
			--log-level warn --journal-segment-bytes 64MiB --reserve-bytes 128MiB --group-initial-rebalance-delay 100ms "$@" >"$work/n$i.log" 2>&1 &
		pids+=($!)
	done
	for _ in $(seq 300); do
		[ "$(cat "$work"/n*.log | grep -c '^ready')" = "$nodes" ] && break
		sleep 0.1
	done
}

passed=0 failed=0
check() { # NAME COMMAND...
	local name=$1 began=$SECONDS
	shift
	if "$@" >"$work/out" 2>&1; then
		passed=$((passed + 1))
		echo "ok    $name ($((SECONDS - began)) s)"
	else
		failed=$((failed + 1))
		echo "FAIL  $name ($((SECONDS - began)) s)"
		tail -n 25 "$work/out" | sed 's/^/      /'
	fi
}

verdict() {
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
}
