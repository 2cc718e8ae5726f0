#!/usr/bin/env bash
# RabbitMQ's clients, with their own tests, on one node: amqp091-go (needs Go only), amqplib (node and npm, which are asked for if they are
# missing), and pika where PIKA_SOURCE names a checkout of it: no registry has its tests.
#   interop-amqp.sh [BINARY]
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=$(realpath "${1:-bin/tallymq}")
work=$(mktemp -d)
pid=
passed=0 failed=0
stop() {
	[ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null || true
	wait || true
	chmod -R u+w "$work" && rm -rf "$work"
}
trap stop EXIT
# The clients' tests want RabbitMQ's port.
"$bin" serve --data-dir "$work/data" --kafka-listen 127.0.0.1:0 --amqp-listen 127.0.0.1:5672 --admin-listen 127.0.0.1:0 \
	--raft-listen 127.0.0.1:37092 --rpc-listen 127.0.0.1:37093 --log-level warn >"$work/node.log" 2>&1 &
pid=$!
for _ in $(seq 100); do
	grep -q '^ready' "$work/node.log" && break
	sleep 0.1
done
grep -q '^ready' "$work/node.log" || {
	cat "$work/node.log"
	exit 1
}
url=amqp://guest:guest@127.0.0.1:5672/

# verdict NAME TESTS OK: counts a client.
verdict() {
	if [ "$3" = yes ]; then
		echo "$2 tests of $1 passed"
		passed=$((passed + 1))
	else
		echo "$1 FAILED"
		failed=$((failed + 1))
	fi
}

amqp091() {
	cp -r "$(go list -m -f '{{.Dir}}' github.com/rabbitmq/amqp091-go)" "$work/client"
	chmod -R u+w "$work/client"
	# Left out, each for a reason that docs/AMQP.md gives: most of them
	# close connections through RabbitMQ's management API.
	local left='^(TestConnectionRecovery.*|TestConnection_Close_WhenMemoryAlarmIsActive)$' out="$work/amqp091.out" ok=yes
	# Its TestMain also complains of a goroutine of the client that is left at the end: known, and told, not hidden.
	(cd "$work/client" && AMQP_URL=$url go test -tags integration -timeout 5m -v -skip "$left" .) >"$out" 2>&1 || true
	if grep -q -- '--- FAIL' "$out" || ! grep -q '^PASS$' "$out"; then
		grep -A8 -- '--- FAIL' "$out" | head -60 || true
		tail -15 "$out"
		ok=no
	fi
	grep '^goleak: ' "$out" || true
	verdict amqp091-go "$(grep -c '^--- PASS' "$out" || true)" $ok
}

amqplib() {
	if ! command -v npm >/dev/null; then
		apt-get -qq install -y nodejs npm >/dev/null || {
			echo "amqplib needs node and npm"
			failed=$((failed + 1))
			return
		}
	fi
	local out="$work/amqplib.out" ok=yes
	mkdir "$work/amqplib"
	(
		cd "$work/amqplib"
		npm pack --silent amqplib@0.10.9 >/dev/null
		tar xzf amqplib-0.10.9.tgz
		cd package
		npm install --silent --no-audit --no-fund
		# Left out: serverProperties wants the product to be RabbitMQ, ipv6 wants the port on ::1.
		URL=$url npx mocha --check-leaks -u tdd --exit --invert --grep '^Connect API (serverProperties|ipv6)$' test/
	) >"$out" 2>&1 || ok=no
	[ $ok = yes ] || tail -60 "$out"
	verdict amqplib "$(grep -o '[0-9]* passing' "$out" | cut -d' ' -f1)" $ok
}

pika() {
	local out="$work/pika.out" ok=yes
	python3 -m venv "$work/venv"
	"$work/venv/bin/pip" -q install pytest pytest-timeout tornado twisted gevent
	# Left out: it wants 406 on the channel for an exchange of an unknown type, as RabbitMQ 4 has it; RabbitMQ 3 ends the connection with 503.
	(cd "$PIKA_SOURCE" && "$work/venv/bin/python" -m pytest tests/acceptance -q --timeout 60 -p no:cacheprovider \
		--deselect tests/acceptance/blocking_adapter_test.py::TestInvalidExchangeTypeRaisesConnectionClosed::test) >"$out" 2>&1 || ok=no
	[ $ok = yes ] || tail -60 "$out"
	verdict pika "$(grep -o '[0-9]* passed' "$out" | cut -d' ' -f1)" $ok
}

amqp091
amqplib
if [ -n "${PIKA_SOURCE:-}" ]; then
	pika
else
	echo "pika is left out: PIKA_SOURCE names no checkout of it"
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
