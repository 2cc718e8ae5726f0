import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;

/**
 * A word count of Kafka Streams with processing.guarantee=exactly_once_v2.
 *   WordCount SEEDS TOPIC feed N     writes N words, 100 a second
 *   WordCount SEEDS TOPIC run DIR    counts until it is killed
 *   WordCount SEEDS TOPIC check N    waits for exact counts in TOPIC-counts
 */
public class WordCount {
    static final String[] WORDS = {"debit", "credit", "transfer", "fee", "refund", "interest", "reversal"};

    public static void main(String[] args) throws Exception {
        String seeds = args[0], topic = args[1];
        switch (args[2]) {
            case "feed" -> feed(seeds, topic, Integer.parseInt(args[3]));
            case "run" -> run(seeds, topic, args[3]);
            case "check" -> check(seeds, topic, Integer.parseInt(args[3]));
        }
    }

    static void feed(String seeds, String topic, int n) throws InterruptedException {
        try (KafkaProducer<String, String> p = new KafkaProducer<>(Map.of("bootstrap.servers", seeds), new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < n; i++) {
                p.send(new ProducerRecord<>(topic, Integer.toString(i), WORDS[i % WORDS.length]));
                Thread.sleep(10);
            }
        }
    }

    static void run(String seeds, String topic, String dir) {
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, topic + "-app");
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, seeds);
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        p.put(StreamsConfig.STATE_DIR_CONFIG, dir);
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, -1);
        p.put(StreamsConfig.consumerPrefix("session.timeout.ms"), 6000);
        p.put(StreamsConfig.consumerPrefix("heartbeat.interval.ms"), 500);
        p.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        p.put(StreamsConfig.consumerPrefix("max.poll.records"), 50);
        p.put(StreamsConfig.producerPrefix("transaction.timeout.ms"), 6000);
        StreamsBuilder b = new StreamsBuilder();
        b.stream(topic, Consumed.with(Serdes.String(), Serdes.String()))
            .groupBy((k, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
            .count(Materialized.as("counts"))
            .toStream().mapValues(Object::toString)
            .to(topic + "-counts", Produced.with(Serdes.String(), Serdes.String()));
        KafkaStreams s = new KafkaStreams(b.build(), p);
        s.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        s.start();
    }

    /** Exact: the last count of each word is right, and each word's counts came one after the other, none skipped, none twice. */
    static void check(String seeds, String topic, int n) {
        Map<String, Long> want = new TreeMap<>(), last = new TreeMap<>();
        for (int i = 0; i < n; i++) want.merge(WORDS[i % WORDS.length], 1L, Long::sum);
        long end = System.currentTimeMillis() + 120_000;
        try (KafkaConsumer<String, String> c = new KafkaConsumer<>(Map.of("bootstrap.servers", seeds, "isolation.level", "read_committed", "auto.offset.reset", "earliest"),
                new StringDeserializer(), new StringDeserializer())) {
            List<TopicPartition> parts = c.partitionsFor(topic + "-counts").stream().map(i -> new TopicPartition(i.topic(), i.partition())).toList();
            c.assign(parts);
            c.seekToBeginning(parts);
            while (!last.equals(want)) {
                if (System.currentTimeMillis() > end) throw new IllegalStateException("counts are " + last + ", not " + want);
                for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(500))) {
                    long count = Long.parseLong(r.value()), before = last.getOrDefault(r.key(), 0L);
                    if (count <= before) throw new IllegalStateException(r.key() + " was counted to " + count + " after " + before + ", at offset " + r.offset());
                    last.put(r.key(), count);
                }
            }
        }
        System.out.println("counts are exact: " + last);
    }
}
