# tallymq: bare `make` lists the targets. Only Go and make are needed; what needs more says so.
GO      ?= go
export CGO_ENABLED = 0
BIN     := bin/tallymq
SEEDS   ?= 5
JOBS    ?= 1
CRASH_SECONDS ?= 60
PAYMENTS_SECONDS ?= 20
CLEARING_SECONDS ?= 20
ACCOUNTS_SECONDS ?= 20
FUZZTIME ?= 10s

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/tallymq, one static binary
	$(GO) build -trimpath -o $(BIN) ./ops/tallymq

.PHONY: run
run: build ## start one node: Kafka on 127.0.0.1:9092, admin on :8080, data in ./data
	$(BIN) serve

.PHONY: cluster
cluster: build ## start three nodes on this machine (Kafka 9092-9094), logs and data under ./data; Ctrl-C stops them
	ops/scripts/cluster.sh $(BIN)

.PHONY: test
test: lint ## run the tests (lint first)
	$(GO) test ./...

.PHONY: lint
lint: ## gofmt, vet, staticcheck and the project's own rules
	@out=$$(gofmt -l $$(find . -name '*.go' -not -path './.cache/*')); test -z "$$out" || { echo "not gofmt-ed:"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test ./internal/lint

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME=10s (RUN=regexp chooses)
	ops/scripts/fuzz.sh $(FUZZTIME) '$(RUN)'

.PHONY: sim
sim: ## the simulator's own tests, then SEEDS=5 fixed seeds, a third of them twice, and as many fresh ones (JOBS=1 at a time)
	ops/scripts/sim.sh $(SEEDS) $(JOBS)

.PHONY: user-module
user-module: ## run the example of docs/TESTING_YOUR_CONSUMER.md in a module of its own, without and with the overlay
	ops/scripts/user-module.sh

.PHONY: sim-mutants
sim-mutants: ## plant every bug of simtest/mutants and write to docs/MUTANTS.md how many seeds it took to find it (RUN=regexp chooses)
	$(GO) run ./simtest/mutants/plant -run '$(RUN)' -table docs/MUTANTS.md

.PHONY: crash
crash: build ## three nodes under load, kill -9 for CRASH_SECONDS=60: nothing lost, doubled or out of order
	$(GO) run ./ops/crash -bin $(BIN) -duration $(CRASH_SECONDS)s

.PHONY: payments
payments: build ## the example of exactly-once payments on three nodes that are killed for PAYMENTS_SECONDS=20: each transfer once in each output
	$(GO) run ./ops/example/payments -bin $(BIN) -for $(PAYMENTS_SECONDS)s

.PHONY: clearing
clearing: build ## one tx.commit over two queues and a Kafka topic on three nodes that are killed for CLEARING_SECONDS=20: all or nothing
	$(GO) run ./ops/example/clearing -bin $(BIN) -for $(CLEARING_SECONDS)s

.PHONY: accounts
accounts: build ## 8 competing consumers of a queue with x-ordering-key and 1,000 keys on three nodes that are killed for ACCOUNTS_SECONDS=20: order per key
	$(GO) run ./ops/example/accounts -bin $(BIN) -for $(ACCOUNTS_SECONDS)s

.PHONY: soak
soak: build ## memory with 10,000 partitions, 10,000 connections, and ten times its limit in backlog (6 minutes, 20 GB of disk)
	$(GO) run ./ops/soak -bin $(BIN)

.PHONY: recovery
recovery: build ## nodes that were away or lost their disk come back to a shard of 4 GiB under load (15 minutes, 50 GB of disk)
	$(GO) run ./ops/recovery -bin $(BIN)

.PHONY: bench
bench: build ## throughput and latency of one and three nodes beside raw dragonboat, as ratios
	ops/scripts/bench.sh $(BIN)

.PHONY: bench-peers
bench-peers: build ## the same beside Apache Kafka (needs Java and Maven)
	ops/scripts/bench-peers.sh $(BIN)

.PHONY: interop
interop: build ## real clients against one node and three: kcat, Python clients, franz-go's own tests, then interop-java
	ops/scripts/interop.sh $(BIN) 1
	ops/scripts/interop.sh $(BIN) 3 chaos
	$(MAKE) interop-java
	$(MAKE) interop-amqp

.PHONY: bench-rabbit
bench-rabbit: build ## the same through AMQP beside RabbitMQ's quorum queues, three nodes each (Debian's rabbitmq-server, ROUNDS=2)
	$(GO) run ./ops/rabbitbench -bin $(BIN) -rounds $(or $(ROUNDS),2)

.PHONY: interop-amqp
interop-amqp: build ## RabbitMQ's clients with their own tests on one node: amqp091-go, amqplib, and pika where PIKA_SOURCE is a checkout of it
	ops/scripts/interop-amqp.sh $(BIN)

.PHONY: interop-java
interop-java: build ## Java's clients, Kafka's command-line tools and Kafka Streams with exactly_once_v2 (needs a JDK and Maven)
	ops/scripts/interop-java.sh $(BIN) 1
	ops/scripts/interop-java.sh $(BIN) 3

.PHONY: clean
clean: ## remove what was built (not ./data)
	rm -rf bin .cache
