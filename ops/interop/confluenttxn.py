"""librdkafka in transactions: consume, process, produce, by one transactional id after the other; some abort, one dies. Every record comes out once."""
import sys, time
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

seeds = {"bootstrap.servers": sys.argv[1]}
source, n, partitions = "confluent-txn-%d" % time.time_ns(), 1000, 4
target = source + "-out"
admin = AdminClient(seeds)
for f in admin.create_topics([NewTopic(source, partitions, -1), NewTopic(target, partitions, -1)]).values():
    f.result(30)
p = Producer({**seeds, "enable.idempotence": True})
for i in range(n):
    p.produce(source, key=str(i), value=str(i))
assert p.flush(60) == 0

def producer():
    p = Producer({**seeds, "transactional.id": source, "transaction.timeout.ms": 10000})
    p.init_transactions(30)
    return p

c = Consumer({**seeds, "group.id": source, "auto.offset.reset": "earliest", "enable.auto.commit": False, "isolation.level": "read_committed", "session.timeout.ms": 10000})
c.subscribe([source])
p, old, done, aborted, rounds, end = producer(), None, 0, 0, 0, time.time() + 120
while done < n:
    assert time.time() < end, "%d of %d went through" % (done, n)
    batch = c.consume(43, 1)
    if not batch:
        continue
    assert all(m.error() is None for m in batch), [m.error() for m in batch]
    rounds += 1
    p.begin_transaction()
    failed = []
    for m in batch:
        p.produce(target, key=m.key(), value=m.value(), callback=lambda err, _: err and failed.append(err))
    p.send_offsets_to_transaction(c.position(c.assignment()), c.consumer_group_metadata(), 30)
    if rounds == 4:  # dies with its transaction open; the next one of the same id fences it
        assert p.flush(30) == 0 and not failed, failed
        old, p = p, producer()
    elif rounds % 5 == 2:
        p.abort_transaction(30)
    else:
        p.commit_transaction(30)
        assert not failed, failed
        done += len(batch)
        continue
    aborted += 1
    for at in c.committed(c.assignment(), timeout=30):
        c.seek(TopicPartition(at.topic, at.partition, max(at.offset, 0)))
c.close()
try:
    old.commit_transaction(10)
    sys.exit("a producer that was fenced has committed")
except KafkaException as e:
    assert e.args[0].fatal(), e

seen = {}
r = Consumer({**seeds, "group.id": source + "-reader", "isolation.level": "read_committed", "enable.partition.eof": True, "enable.auto.commit": False})
r.assign([TopicPartition(target, i, 0) for i in range(partitions)])
ends, end = set(), time.time() + 60
while len(ends) < partitions:
    assert time.time() < end, "read %d" % len(seen)
    m = r.poll(1)
    if m is None:
        continue
    if m.error() is not None:
        ends.add(m.partition())
        continue
    seen[m.value()] = seen.get(m.value(), 0) + 1
r.close()
assert len(seen) == n and set(seen.values()) == {1}, "%d of %d came out, %d of them not once" % (len(seen), n, sum(v != 1 for v in seen.values()))
print(n, "records went through once each,", aborted, "transactions were aborted, one producer was fenced")
