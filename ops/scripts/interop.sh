#!/usr/bin/env bash
# Real clients against real nodes: kcat, librdkafka's and kafka-python's Python clients, and franz-go's own integration tests.
#   interop.sh BINARY [NODES [chaos]]
# Installs what is missing when run as root on Debian. NODES is 1 or 3; chaos cuts franz-go's connections at random.
set -euo pipefail
bin=$(realpath "${1:-bin/tallymq}") nodes=${2:-1} chaos=${3:-}
here=$(cd "$(dirname "$0")/.." && pwd)
python=/usr/bin/python3 # Debian's, which has Debian's packages

missing=()
command -v kcat >/dev/null || missing+=(kcat)
"$python" -c 'import confluent_kafka' 2>/dev/null || missing+=(python3-confluent-kafka)
"$python" -c 'import kafka' 2>/dev/null || missing+=(python3-kafka)
if [ ${#missing[@]} -gt 0 ]; then
	command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || { echo "interop needs ${missing[*]}: install them, or run as root on Debian" >&2; exit 1; }
	apt-get update -qq && apt-get install -y -qq "${missing[@]}" >/dev/null
fi

. "$here/scripts/nodes.sh"
start_nodes "$bin" "$nodes"

kcat_roundtrip() { # CODEC
	seq 1 1000 | sed 's/$/:value/' | kcat -b "$seeds" -P -t "kcat-$1" -z "$1" -K : -H source=interop || return 1
	[ "$(kcat -b "$seeds" -C -t "kcat-$1" -o beginning -e -q -f '%k %s %h\n' | sort -n | uniq -c | awk '$1==1 && $3=="value" && $4=="source=interop"' | wc -l)" = 1000 ]
}
kcat_group() {
	seq 1 500 | kcat -b "$seeds" -P -t kcat-group || return 1
	[ "$(timeout 60 kcat -b "$seeds" -G interop-kcat -o beginning -X auto.offset.reset=earliest -c 500 -q kcat-group 2>/dev/null | wc -l)" = 500 ]
}
kcat_query() { kcat -b "$seeds" -Q -t kcat-none:0:1 && kcat -b "$seeds" -L -t kcat-none | grep -q 'topic "kcat-none"'; }
own_cli() {
	"$bin" topic create -b "$seeds" own-cli -p 3 && seq 1 100 | "$bin" produce -b "$seeds" own-cli &&
		[ "$("$bin" consume -b "$seeds" own-cli --exit | wc -l)" = 100 ] && "$bin" consume -b "$seeds" own-cli -g own-group -n 100 >/dev/null &&
		"$bin" group describe -b "$seeds" own-group --json | grep -q '"group": "own-group"' && "$bin" topic describe -b "$seeds" own-cli --json | grep -q '"end"' &&
		"$bin" topic list -b "$seeds" | grep -q own-cli && "$bin" group list -b "$seeds" | grep -q own-group && "$bin" topic delete -b "$seeds" own-cli
}
for codec in none gzip snappy lz4 zstd; do check "kcat $codec" kcat_roundtrip $codec; done
check "kcat group" kcat_group
check "kcat metadata and offsets" kcat_query
check "python3-confluent-kafka" "$python" "$here/interop/confluent.py" "$seeds"
check "python3-confluent-kafka in transactions" "$python" "$here/interop/confluenttxn.py" "$seeds"
check "python3-kafka" "$python" "$here/interop/kafkapython.py" "$seeds" "$([ "$nodes" = 3 ] && echo 3 || echo 1)"
check "our command line" own_cli

# franz-go's own integration tests, those that need neither share groups nor KIP-848; transactions are TestTxnEtl. TestConsumeRegex is
# left out: it wants a topic __consumer_offsets, which does not exist here.
tests='^(TestUnknownGroupOffsetFetchPinned|TestPing|TestIssue1034|TestIssue325|TestConsumeTopicRetrieval|TestConsumeTopicRetrieval_Many|TestIssue337|TestDirectPartitionPurge|TestIssue434|TestAddRemovePartitions|TestPauseIssue489|TestPauseIssueOct2023|TestIssue523|TestIssue648|TestIssue810|TestIssue865|TestIssueFetchLargerThanBrokerMaxReadBytes|TestPooling|TestGroupSimple|TestHookPollStart|TestConsumeMaxDecompressBatchBytes|TestGroupETL|TestClient_Produce|TestIssue769|TestIssueProduceSyncManualPartitionNegativeDoesNotPanic|TestIssue831|TestClient_ProduceLargeMessages|TestTxnEtl)$'
(cd "$here/.." && cp -r "$(go list -m -f '{{.Dir}}' github.com/twmb/franz-go)" "$work/franz-go")
chmod -R u+w "$work/franz-go"
(cd "$work/franz-go" && go test -c -o "$work/kgo.test" ./pkg/kgo) >"$work/build" 2>&1 || { cat "$work/build"; exit 1; }
kgo_tests() {
	local rf=1
	[ "$nodes" = 3 ] && rf=3
	(cd "$work/franz-go/pkg/kgo" && env KGO_SEEDS="$seeds" KGO_TEST_RF=$rf KGO_TEST_RECORDS="${RECORDS:-20000}" ${chaos:+KGO_TEST_CHAOS=1} KGO_LOG_LEVEL=none \
		"$work/kgo.test" -test.run "$tests" -test.timeout 15m -test.v)
}
check "franz-go integration tests${chaos:+ with chaos}" kgo_tests
grep -cE '^ *--- PASS' "$work/out" | sed 's/$/ of them and their parts passed/' || true
verdict
