#!/usr/bin/env bash
# Java's clients against real nodes: transactions, the admin client, Kafka's command-line tools, and Kafka Streams with
# exactly_once_v2, killed again and again.
#   interop-java.sh BINARY [NODES]
# Needs a JDK (17 or later) and Maven, which fetches Kafka's 4.1.1 from Maven Central into .cache/kafka-java.
set -euo pipefail
bin=$(realpath "${1:-bin/tallymq}") nodes=${2:-1}
here=$(cd "$(dirname "$0")/.." && pwd)
cache=$(cd "$here/.." && pwd)/.cache/kafka-java
for tool in javac mvn; do
	command -v "$tool" >/dev/null || { echo "interop-java needs $tool: install a JDK (17 or later) and Maven" >&2; exit 1; }
done
if [ ! -e "$cache/complete" ]; then
	mkdir -p "$cache/libs"
	cat >"$cache/pom.xml" <<'P'
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.1.1</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>4.1.1</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-streams</artifactId><version>4.1.1</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
P
	mvn -q -f "$cache/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/libs"
	touch "$cache/complete"
fi
mkdir -p "$cache/classes"
javac -nowarn -cp "$cache/libs/*" -d "$cache/classes" "$here"/interop/java/*.java
java=(java -cp "$cache/libs/*:$cache/classes")

. "$here/scripts/nodes.sh"
start_nodes "$bin" "$nodes"

# Kafka's command-line tools, as kafka-topics.sh and its kin start them.
tool() { "${java[@]}" "$@"; }
says() { # PATTERN COMMAND...: the output has the pattern
	local pattern=$1
	shift
	"$@" | tee /dev/stderr | grep -E -- "$pattern" >/dev/null
}
topics() { tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$seeds" "$@"; }
groups() { tool org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$seeds" "$@"; }
configs() { tool kafka.admin.ConfigCommand --bootstrap-server "$seeds" "$@"; }
produced() {
	seq 1 100 | sed 's/.*/&:&/' | tool org.apache.kafka.tools.ConsoleProducer --bootstrap-server "$seeds" --topic tools --property parse.key=true --property key.separator=:
}
consumed() {
	[ "$(tool org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$seeds" --topic tools --from-beginning --group tools --max-messages 100 --timeout-ms 30000 | sort -un | wc -l)" = 100 ]
}
trimmed() {
	echo '{"version":1,"partitions":[{"topic":"tools","partition":0,"offset":1}]}' >"$work/trim.json"
	says 'low_watermark: 1' tool org.apache.kafka.tools.DeleteRecordsCommand --bootstrap-server "$seeds" --offset-json-file "$work/trim.json"
}
slowed() { # 4 MB of one client at 1 MB a second, of which the first second's are saved up: not above 1.5 MiB a second
	topics --create --topic slow --partitions 1 &&
		tool org.apache.kafka.tools.ProducerPerformance --topic slow --num-records 4000 --record-size 1000 --throughput -1 \
			--producer-props bootstrap.servers="$seeds" client.id=slow | tee /dev/stderr |
		awk '/records sent/ { split($0, a, "("); rate = a[2] + 0 } END { exit !(rate > 0.5 && rate < 1.5) }'
}
check "kafka-topics --create" topics --create --topic tools --partitions 2
check "kafka-topics --alter" topics --alter --topic tools --partitions 3
check "kafka-topics --describe" says 'PartitionCount: 3' topics --describe --topic tools
check "kafka-configs --alter" configs --alter --entity-type topics --entity-name tools --add-config retention.ms=3600000
check "kafka-configs --describe" says 'retention.ms=3600000' configs --describe --entity-type topics --entity-name tools
check "kafka-configs --alter a quota" configs --alter --entity-type clients --entity-name slow --add-config producer_byte_rate=1000000
check "kafka-configs --describe quotas" says "client-id 'slow' are producer_byte_rate=1000000" configs --describe --entity-type clients
check "kafka-configs --describe a user" configs --describe --entity-type users --entity-name ANONYMOUS
check "kafka-producer-perf-test within its quota" slowed
check "kafka-configs --delete a quota" configs --alter --entity-type clients --entity-name slow --delete-config producer_byte_rate
check "kafka-console-producer" produced
check "kafka-console-consumer" consumed
check "kafka-get-offsets" says '^tools:0:' tool org.apache.kafka.tools.GetOffsetShell --bootstrap-server "$seeds" --topic tools
check "kafka-delete-records" trimmed
check "kafka-consumer-groups --list" says '^tools$' groups --list
check "kafka-consumer-groups --describe" says 'tools +tools +0 +[1-9]' groups --describe --group tools
check "kafka-consumer-groups --reset-offsets" groups --reset-offsets --group tools --topic tools --to-latest --execute
check "kafka-consumer-groups --delete" groups --delete --group tools
check "kafka-log-dirs" says '"topic|"error":null|logDirs' tool org.apache.kafka.tools.LogDirsCommand --bootstrap-server "$seeds" --describe --topic-list tools
check "kafka-transactions list" says 'TransactionalId' tool org.apache.kafka.tools.TransactionsCommand --bootstrap-server "$seeds" list
check "kafka-leader-election" tool org.apache.kafka.tools.LeaderElectionCommand --bootstrap-server "$seeds" --election-type preferred --topic tools --partition 0
check "kafka-metadata-quorum" says 'LeaderId' tool org.apache.kafka.tools.MetadataQuorumCommand --bootstrap-server "$seeds" describe --status
check "kafka-broker-api-versions" says 'EndTxn' tool org.apache.kafka.tools.BrokerApiVersionsCommand --bootstrap-server "$seeds"
check "kafka-topics --delete" topics --delete --topic tools

check "Java's admin client" "${java[@]}" Administer "$seeds" "$nodes"
check "Java in transactions" "${java[@]}" Transfer "$seeds"

# The errors of transactional requests, version by version, beside a broker of Kafka's own.
errors_beside_kafka() {
	local kafka=$work/kafka ports
	mapfile -t ports < <(/usr/bin/python3 -c 'import socket
s=[socket.create_server(("127.0.0.1",0)) for _ in range(2)]
for x in s: print(x.getsockname()[1])')
	mkdir -p "$kafka"
	cat >"$kafka/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${ports[1]}
listeners=PLAINTEXT://127.0.0.1:${ports[0]},CONTROLLER://127.0.0.1:${ports[1]}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$kafka/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
P
	java -cp "$cache/libs/*" kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qg -c "$kafka/server.properties"
	java -Xmx512m -cp "$cache/libs/*" kafka.Kafka "$kafka/server.properties" >"$kafka/log" 2>&1 &
	pids+=($!)
	for _ in $(seq 60); do
		(exec 3<>"/dev/tcp/127.0.0.1/${ports[0]}") 2>/dev/null && break
		sleep 1
	done
	(cd "$here/.." && go run ./ops/errortable -bootstrap "$seeds" -peer "127.0.0.1:${ports[0]}")
}
[ "$nodes" != 1 ] || check "errors beside Kafka 4.1" errors_beside_kafka

# Streams: a word count that is killed three times while words come in.
count() { "${java[@]}" WordCount "$seeds" words "$@"; }
"$bin" topic create -b "$seeds" words -p 2 >/dev/null
"$bin" topic create -b "$seeds" words-counts -p 2 >/dev/null
count feed 3500 >"$work/feed.log" 2>&1 &
feeding=$!
for i in 1 2 3 4; do
	"${java[@]}" WordCount "$seeds" words run "$work/streams" >"$work/streams.log" 2>&1 &
	app=$!
	pids+=("$app")
	[ "$i" = 4 ] && break
	sleep 9
	kill -9 "$app"
	wait "$app" 2>/dev/null || true
done
wait "$feeding"
check "Kafka Streams exactly_once_v2, killed three times" count check 3500
verdict
