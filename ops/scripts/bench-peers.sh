#!/usr/bin/env bash
# The same beside Apache Kafka 4.1.1: three KRaft brokers, acks=all, with and without flush.messages=1.
# Needs Java 17 and Maven, which fetches Kafka from Maven Central into .cache/kafka.
set -euo pipefail
bin=${1:-bin/tallymq}
for tool in java mvn; do
	command -v "$tool" >/dev/null || { echo "bench-peers needs $tool: install Java 17 and Maven" >&2; exit 1; }
done
jars=.cache/kafka/libs
if [ ! -e .cache/kafka/complete ]; then
	mkdir -p "$jars"
	cat >.cache/kafka/pom.xml <<'P'
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.1.1</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.1</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>2.25.1</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-1.2-api</artifactId><version>2.25.1</version></dependency>
</dependencies></project>
P
	mvn -q -f .cache/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory="$PWD/$jars"
	touch .cache/kafka/complete
fi
exec go run ./ops/benchmark -bin "$bin" -kafka "$jars" -rounds "${ROUNDS:-3}" -duration "${DURATION:-6s}" ${OUT:+-out "$OUT"} ${WORK:+-work "$WORK"}
