"""kafka-python: production, a group with commits, offsets by time, administration."""
import sys, time
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

seeds = sys.argv[1].split(",")
topic, n = "kafkapython-%d" % time.time_ns(), 2000
admin = KafkaAdminClient(bootstrap_servers=seeds)
admin.create_topics([NewTopic(topic, num_partitions=3, replication_factor=int(sys.argv[2]))])
assert topic in admin.list_topics()
for codec in (None, "gzip"):
    p = KafkaProducer(bootstrap_servers=seeds, acks="all", compression_type=codec, retries=5)
    futures = [p.send(topic, key=b"%d" % i, value=b"%s-%d" % (str(codec).encode(), i), headers=[("h", b"x")]) for i in range(n // 2)]
    for f in futures:
        f.get(timeout=60)
    p.close()
c = KafkaConsumer(topic, bootstrap_servers=seeds, group_id=topic, auto_offset_reset="earliest", enable_auto_commit=False, consumer_timeout_ms=15000)
seen = {}
for m in c:
    assert m.value not in seen, m
    seen[m.value] = (m.partition, m.offset)
    if len(seen) == n:
        break
assert len(seen) == n, len(seen)
c.commit()
parts = [TopicPartition(topic, i) for i in range(3)]
assert sum(c.committed(p) or 0 for p in parts) == n
assert sum(c.end_offsets(parts).values()) == n and sum(c.beginning_offsets(parts).values()) == 0
assert c.offsets_for_times({parts[0]: 0})[parts[0]].offset == 0
c.close()
assert any(g[0] == topic for g in admin.list_consumer_groups())
admin.delete_topics([topic])
print("read", len(seen), "once each")
