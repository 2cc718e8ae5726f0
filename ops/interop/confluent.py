"""librdkafka through confluent_kafka: idempotent production, a group of two that rebalances, commits, administration."""
import sys, time
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

seeds = {"bootstrap.servers": sys.argv[1]}
topic, n = "confluent-%d" % time.time_ns(), 3000

admin = AdminClient(seeds)
for f in admin.create_topics([NewTopic(topic, 4, -1)]).values():
    f.result(30)
assert topic in admin.list_topics(timeout=30).topics

failed = []
for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
    p = Producer({**seeds, "enable.idempotence": True, "compression.type": codec, "linger.ms": 5})
    for i in range(n // 5):
        p.produce(topic, key=str(i), value="%s-%d" % (codec, i), callback=lambda err, _: err and failed.append(err))
        p.poll(0)
    assert p.flush(60) == 0
assert not failed, failed

def member():
    c = Consumer({**seeds, "group.id": topic, "auto.offset.reset": "earliest", "enable.auto.commit": False,
                  "partition.assignment.strategy": "cooperative-sticky", "session.timeout.ms": 10000})
    c.subscribe([topic])
    return c

seen, a, b, end = {}, member(), None, time.time() + 120
while len(seen) < n:
    assert time.time() < end, "read %d of %d" % (len(seen), n)
    for c in filter(None, (a, b)):
        for m in c.consume(200, 0.5):
            assert m.error() is None, m.error()
            at = (m.partition(), m.offset())
            assert seen.setdefault(m.value(), at) == at, "%s at %s and %s" % (m.value(), seen[m.value()], at)
            if m.offset() % 100 == 0:
                try:
                    c.commit(m, asynchronous=False)
                except KafkaException as e:  # the group went on to another generation meanwhile
                    assert e.args[0].name() in ("ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS", "UNKNOWN_MEMBER_ID"), e
    if b is None and seen:
        b = member()  # joins in the middle
for c in (a, b):
    try:
        c.commit(asynchronous=False)
    except Exception as e:  # nothing to commit is no failure
        assert "NO_OFFSET" in str(e), e
    c.close()
committed = Consumer({**seeds, "group.id": topic}).committed([TopicPartition(topic, p) for p in range(4)], timeout=30)
assert all(c.offset >= 0 for c in committed), committed
groups = admin.list_groups(topic, timeout=30)
assert groups and groups[0].id == topic, groups
for f in admin.delete_topics([topic]).values():
    f.result(30)
print("read", len(seen), "once each")
