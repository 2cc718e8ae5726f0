import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.errors.*;

/** Consume, process, produce in transactions, by two workers of one group; some abort, one dies in the middle. Every record comes out once. */
public class Transfer {
    static final int RECORDS = 2000, PARTITIONS = 4;
    static String seeds, in, out;
    static final AtomicInteger committed = new AtomicInteger(), aborted = new AtomicInteger();

    static Properties of(String... kv) {
        Properties p = new Properties();
        p.put("bootstrap.servers", seeds);
        for (String side : new String[] {"key", "value"}) {
            p.put(side + ".serializer", "org.apache.kafka.common.serialization.StringSerializer");
            p.put(side + ".deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        }
        for (int i = 0; i < kv.length; i += 2) p.put(kv[i], kv[i + 1]);
        return p;
    }

    /** Works until everything was committed; dies with its transaction open after so many polls, unless 0. */
    static void work(String id, int dieAfter) {
        int polls = 0;
        try (KafkaConsumer<String, String> c = new KafkaConsumer<>(of("group.id", in, "isolation.level", "read_committed", "auto.offset.reset", "earliest",
                "enable.auto.commit", "false", "max.poll.records", "37", "session.timeout.ms", "6000", "heartbeat.interval.ms", "500"))) {
            KafkaProducer<String, String> p = new KafkaProducer<>(of("transactional.id", id, "transaction.timeout.ms", "5000"));
            try {
                p.initTransactions();
                c.subscribe(List.of(in));
                while (committed.get() < RECORDS) {
                    ConsumerRecords<String, String> records = c.poll(Duration.ofMillis(300));
                    if (records.isEmpty()) continue;
                    Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
                    p.beginTransaction();
                    try {
                        for (ConsumerRecord<String, String> r : records) {
                            p.send(new ProducerRecord<>(out, r.key(), r.value()));
                            next.put(new TopicPartition(in, r.partition()), new OffsetAndMetadata(r.offset() + 1));
                        }
                        p.sendOffsetsToTransaction(next, c.groupMetadata());
                        polls++;
                        if (polls == dieAfter) { p.flush(); return; }
                        if (polls % 7 == 3) throw new KafkaException("this one is aborted on purpose");
                        p.commitTransaction();
                        committed.addAndGet(records.count());
                    } catch (ProducerFencedException | InvalidProducerEpochException e) {
                        throw e;
                    } catch (KafkaException e) { // also a rebalance in between
                        p.abortTransaction();
                        aborted.incrementAndGet();
                        for (TopicPartition tp : c.assignment()) {
                            OffsetAndMetadata at = c.committed(Set.of(tp)).get(tp);
                            if (at == null) c.seekToBeginning(List.of(tp)); else c.seek(tp, at);
                        }
                    }
                }
            } finally {
                p.close(Duration.ZERO);
            }
        }
    }

    public static void main(String[] args) throws Exception {
        seeds = args[0];
        in = "java-in-" + System.nanoTime();
        out = in + "-out";
        try (Admin admin = Admin.create(of())) {
            admin.createTopics(List.of(new NewTopic(in, Optional.of(PARTITIONS), Optional.empty()), new NewTopic(out, Optional.of(PARTITIONS), Optional.empty()))).all().get();
        }
        try (KafkaProducer<String, String> p = new KafkaProducer<>(of())) {
            for (int i = 0; i < RECORDS; i++) p.send(new ProducerRecord<>(in, "k" + i, "v" + i));
        }
        ExecutorService pool = Executors.newFixedThreadPool(3);
        List<Future<?>> all = new ArrayList<>();
        all.add(pool.submit(() -> work(in + "-a", 5))); // dies with a transaction open: the successor of its id fences it
        all.add(pool.submit(() -> work(in + "-b", 0)));
        all.get(0).get(60, TimeUnit.SECONDS);
        all.add(pool.submit(() -> work(in + "-a", 0)));
        for (Future<?> f : all) f.get(150, TimeUnit.SECONDS);
        pool.shutdown();
        Map<String, Integer> seen = new HashMap<>();
        try (KafkaConsumer<String, String> c = new KafkaConsumer<>(of("isolation.level", "read_committed", "auto.offset.reset", "earliest"))) {
            List<TopicPartition> parts = new ArrayList<>();
            for (int i = 0; i < PARTITIONS; i++) parts.add(new TopicPartition(out, i));
            c.assign(parts);
            c.seekToBeginning(parts);
            Map<TopicPartition, Long> ends = c.endOffsets(parts);
            while (parts.stream().anyMatch(tp -> c.position(tp) < ends.get(tp)))
                for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(500))) seen.merge(r.value(), 1, Integer::sum);
        }
        long twice = seen.values().stream().filter(n -> n != 1).count();
        if (seen.size() != RECORDS || twice > 0) throw new IllegalStateException(seen.size() + " of " + RECORDS + " came out, " + twice + " of them not once");
        System.out.println(RECORDS + " records went through once each, " + aborted + " transactions were aborted, one worker died");
    }
}
