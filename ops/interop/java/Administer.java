import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

/** Kafka's own admin client, one expectation for each request that is advertised. */
public class Administer {
    static int done = 0;

    static void check(String what, boolean ok) {
        if (!ok) throw new IllegalStateException(what);
        done++;
    }

    static void refused(String what, Class<? extends Throwable> by, KafkaFuture<?> f) throws Exception {
        try {
            f.get();
        } catch (ExecutionException e) {
            check(what + ": " + e.getCause(), by.isInstance(e.getCause()));
            return;
        }
        throw new IllegalStateException(what + " was not refused");
    }

    public static void main(String[] args) throws Exception {
        String seeds = args[0], topic = "java-admin-" + System.nanoTime(), group = topic + "-group";
        Map<String, Object> of = Map.of("bootstrap.servers", seeds);
        TopicPartition zero = new TopicPartition(topic, 0);
        ConfigResource config = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        try (Admin a = Admin.create(of)) {
            int nodes = a.describeCluster().nodes().get().size();
            check("nodes", nodes == Integer.parseInt(args[1]));
            check("cluster id", !a.describeCluster().clusterId().get().isEmpty());
            check("features", a.describeFeatures().featureMetadata().get().finalizedFeatures().get("transaction.version").maxVersionLevel() == 2);

            a.createTopics(List.of(new NewTopic(topic, Optional.of(2), Optional.empty()))).all().get();
            refused("a topic that exists", TopicExistsException.class, a.createTopics(List.of(new NewTopic(topic, 1, (short) -1))).all());
            check("list topics", a.listTopics().names().get().contains(topic));
            a.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get();
            check("partitions", a.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size() == 3);

            a.incrementalAlterConfigs(Map.of(config, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "123456789"), AlterConfigOp.OpType.SET)))).all().get();
            check("configs", a.describeConfigs(List.of(config)).all().get().get(config).get("retention.ms").value().equals("123456789"));
            refused("an unknown key", InvalidConfigurationException.class,
                a.incrementalAlterConfigs(Map.of(config, List.of(new AlterConfigOp(new ConfigEntry("no.such.key", "1"), AlterConfigOp.OpType.SET)))).all());

            try (KafkaProducer<String, String> p = new KafkaProducer<>(of, new StringSerializer(), new StringSerializer())) {
                for (int i = 0; i < 10; i++) p.send(new ProducerRecord<>(topic, 0, "k", "v" + i)).get();
            }
            check("ends", a.listOffsets(Map.of(zero, OffsetSpec.latest())).partitionResult(zero).get().offset() == 10);
            check("greatest stamp", a.listOffsets(Map.of(zero, OffsetSpec.maxTimestamp())).partitionResult(zero).get().offset() >= 0);
            check("low watermark", a.deleteRecords(Map.of(zero, RecordsToDelete.beforeOffset(4))).lowWatermarks().get(zero).get().lowWatermark() == 4);
            check("starts", a.listOffsets(Map.of(zero, OffsetSpec.earliest())).partitionResult(zero).get().offset() == 4);
            refused("records beyond the end", OffsetOutOfRangeException.class, a.deleteRecords(Map.of(zero, RecordsToDelete.beforeOffset(99))).all());
            check("producers", a.describeProducers(List.of(zero)).partitionResult(zero).get() != null);

            a.alterConsumerGroupOffsets(group, Map.of(zero, new OffsetAndMetadata(7), new TopicPartition(topic, 1), new OffsetAndMetadata(0))).all().get();
            check("offsets", a.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(zero).offset() == 7);
            check("groups", a.listGroups().all().get().stream().anyMatch(g -> g.groupId().equals(group)));
            check("empty groups", a.listGroups(new ListGroupsOptions().inGroupStates(Set.of(GroupState.EMPTY))).all().get().stream().anyMatch(g -> g.groupId().equals(group)));
            check("stable groups", a.listGroups(new ListGroupsOptions().inGroupStates(Set.of(GroupState.STABLE))).all().get().stream().noneMatch(g -> g.groupId().equals(group)));
            check("a group's state", a.describeConsumerGroups(List.of(group)).all().get().get(group).groupState() == GroupState.EMPTY);
            a.deleteConsumerGroupOffsets(group, Set.of(zero)).all().get();
            check("deleted offsets", a.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(zero) == null);
            a.deleteConsumerGroups(List.of(group)).all().get();
            refused("a group that is gone", GroupIdNotFoundException.class, a.deleteConsumerGroups(List.of(group)).all());

            check("log dirs", a.describeLogDirs(List.of(1)).allDescriptions().get().get(1).values().stream().anyMatch(d -> d.error() == null));
            check("quorum", a.describeMetadataQuorum().quorumInfo().get().voters().size() == nodes);
            check("reassignments", a.listPartitionReassignments().reassignments().get().isEmpty());
            check("elections", a.electLeaders(ElectionType.PREFERRED, Set.of(zero)).partitions().get().containsKey(zero));

            String id = topic + "-id";
            KafkaProducer<String, String> p = new KafkaProducer<>(Map.of("bootstrap.servers", seeds, "transactional.id", id), new StringSerializer(), new StringSerializer());
            p.initTransactions();
            p.beginTransaction();
            p.send(new ProducerRecord<>(topic, 1, "k", "open")).get();
            check("transactions", a.listTransactions().all().get().stream().anyMatch(t -> t.transactionalId().equals(id) && t.state() == TransactionState.ONGOING));
            check("a transaction", a.describeTransactions(List.of(id)).description(id).get().topicPartitions().contains(new TopicPartition(topic, 1)));
            TopicPartition one = new TopicPartition(topic, 1);
            check("last stable offset", a.listOffsets(Map.of(one, OffsetSpec.latest()), new ListOffsetsOptions(IsolationLevel.READ_COMMITTED)).partitionResult(one).get().offset() == 0);
            ProducerState open = a.describeProducers(List.of(one)).partitionResult(one).get().activeProducers().get(0);
            a.abortTransaction(new AbortTransactionSpec(one, open.producerId(), (short) open.producerEpoch(), open.coordinatorEpoch().orElse(0))).all().get();
            a.fenceProducers(List.of(id)).all().get();
            try {
                p.commitTransaction();
                throw new IllegalStateException("a fenced producer has committed");
            } catch (KafkaException e) {
                done++;
            }
            p.close(java.time.Duration.ZERO);
            check("aborted", a.listOffsets(Map.of(one, OffsetSpec.latest()), new ListOffsetsOptions(IsolationLevel.READ_COMMITTED)).partitionResult(one).get().offset() == 2);

            a.deleteTopics(List.of(topic)).all().get();
            refused("a topic that is gone", UnknownTopicOrPartitionException.class, a.describeTopics(List.of(topic)).allTopicNames());
        }
        System.out.println(done + " expectations hold");
    }
}
