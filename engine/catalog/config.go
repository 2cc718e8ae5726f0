package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
)

// ConfigKey describes one topic configuration key.
type ConfigKey struct {
	Key     string
	Type    broker.ConfigType
	Default string
	// NoEffect: accepted for the sake of Kafka's clients and tools, which set such keys as a matter of course; changes
	// nothing here, and DescribeConfigs says so.
	NoEffect bool
	Doc      string
	check    func(value string) error
}

// The keys that have effect here.
const (
	KeyRetentionMs           = "retention.ms"
	KeyRetentionBytes        = "retention.bytes"
	KeyMaxMessageBytes       = "max.message.bytes"
	KeyTimestampType         = "message.timestamp.type"
	KeyTimestampBeforeMaxMs  = "message.timestamp.before.max.ms"
	KeyTimestampAfterMaxMs   = "message.timestamp.after.max.ms"
	KeyMinInsyncReplicas     = "min.insync.replicas"
	KeyCleanupPolicy         = "cleanup.policy"
	KeyCompressionType       = "compression.type"
	KeyUncleanLeaderElection = "unclean.leader.election.enable"
	KeyDeleteRetentionMs     = "delete.retention.ms"
	KeyMinCompactionLagMs    = "min.compaction.lag.ms"
	KeyMaxCompactionLagMs    = "max.compaction.lag.ms"
	KeyMinCleanableRatio     = "min.cleanable.dirty.ratio"
	KeyColocate              = "tally.colocate"
)

const (
	longMax = int64(^uint64(0) >> 1)
	intMax  = int64(1<<31 - 1)
	day     = int64(24 * time.Hour / time.Millisecond)
)

// configKeys are the keys of Kafka 4.1's topic configuration, by name, and our own.
var configKeys = sortKeys([]ConfigKey{
	// With effect.
	{Key: KeyRetentionMs, Type: broker.TypeLong, Default: text(7 * day), check: between(-1, longMax), Doc: "how long records are kept, ms; -1: for ever"},
	{Key: KeyRetentionBytes, Type: broker.TypeLong, Default: "-1", check: between(-1, longMax), Doc: "how many bytes a partition keeps; -1: no bound"},
	{Key: KeyMaxMessageBytes, Type: broker.TypeInt, Default: "1048588", check: between(0, intMax), Doc: "the largest record batch that is accepted, bytes as sent"},
	{Key: KeyTimestampType, Type: broker.TypeString, Default: "CreateTime", check: oneOf("CreateTime", "LogAppendTime"), Doc: "whose clock stamps records: the producer's or the partition's leader's"},
	{Key: KeyCleanupPolicy, Type: broker.TypeList, Default: "delete", check: checkCleanup, Doc: "delete: records past their retention go; compact: of every key the newest record stays; or both"},
	{Key: KeyMinInsyncReplicas, Type: broker.TypeInt, Default: "1", check: between(1, intMax), Doc: "fixed: an append is always on a majority's disks before it is acknowledged"},
	{Key: KeyCompressionType, Type: broker.TypeString, Default: "producer", check: oneOf("producer"), Doc: "fixed: batches are kept as the producer compressed them"},
	{Key: KeyUncleanLeaderElection, Type: broker.TypeBool, Default: "false", check: oneOf("false"), Doc: "fixed: a leader always has every acknowledged record"},
	{Key: KeyDeleteRetentionMs, Type: broker.TypeLong, Default: text(day), check: between(0, longMax), Doc: "how long a compacted topic keeps a record that deletes its key, ms"},
	{Key: KeyMinCompactionLagMs, Type: broker.TypeLong, Default: "0", check: between(0, longMax), Doc: "younger records are not compacted, ms"},
	{Key: KeyMaxCompactionLagMs, Type: broker.TypeLong, Default: text(longMax), check: between(1, longMax), Doc: "older records are compacted whatever the ratio, ms"},
	{Key: KeyMinCleanableRatio, Type: broker.TypeDouble, Default: "0.5", check: checkRatio, Doc: "the share of bytes not compacted yet at which a log is compacted"},
	{Key: KeyColocate, Type: broker.TypeString, Default: "", check: checkColocate, Doc: "topics with the same NAME here have all their partitions on one shard, with the groups, transactional ids and queues that are called NAME--REST; only effective when the topic is created"},
	// Accepted without effect.
	{Key: KeyTimestampBeforeMaxMs, Type: broker.TypeLong, Default: text(longMax), check: between(0, longMax), NoEffect: true},
	{Key: KeyTimestampAfterMaxMs, Type: broker.TypeLong, Default: text(int64(time.Hour / time.Millisecond)), check: between(0, longMax), NoEffect: true},
	{Key: "compression.gzip.level", Type: broker.TypeInt, Default: "-1", check: checkGzipLevel, NoEffect: true},
	{Key: "compression.lz4.level", Type: broker.TypeInt, Default: "9", check: between(1, 17), NoEffect: true},
	{Key: "compression.zstd.level", Type: broker.TypeInt, Default: "3", check: between(-131072, 22), NoEffect: true},
	{Key: "file.delete.delay.ms", Type: broker.TypeLong, Default: "60000", check: between(0, longMax), NoEffect: true},
	{Key: "flush.messages", Type: broker.TypeLong, Default: text(longMax), check: between(1, longMax), NoEffect: true, Doc: "every batch is synced before it is acknowledged, whatever this says"},
	{Key: "flush.ms", Type: broker.TypeLong, Default: text(longMax), check: between(0, longMax), NoEffect: true, Doc: "every batch is synced before it is acknowledged, whatever this says"},
	{Key: "follower.replication.throttled.replicas", Type: broker.TypeList, Default: "", check: checkThrottled, NoEffect: true},
	{Key: "index.interval.bytes", Type: broker.TypeInt, Default: "4096", check: between(0, intMax), NoEffect: true},
	{Key: "leader.replication.throttled.replicas", Type: broker.TypeList, Default: "", check: checkThrottled, NoEffect: true},
	{Key: "local.retention.bytes", Type: broker.TypeLong, Default: "-2", check: between(-2, longMax), NoEffect: true},
	{Key: "local.retention.ms", Type: broker.TypeLong, Default: "-2", check: between(-2, longMax), NoEffect: true},
	{Key: "preallocate", Type: broker.TypeBool, Default: "false", check: oneOf("true", "false"), NoEffect: true},
	{Key: "remote.log.copy.disable", Type: broker.TypeBool, Default: "false", check: oneOf("true", "false"), NoEffect: true},
	{Key: "remote.log.delete.on.disable", Type: broker.TypeBool, Default: "false", check: oneOf("true", "false"), NoEffect: true},
	{Key: "remote.storage.enable", Type: broker.TypeBool, Default: "false", check: oneOf("false"), NoEffect: true, Doc: "tiered storage is not offered yet"},
	{Key: "segment.bytes", Type: broker.TypeInt, Default: text(1 << 30), check: between(14, intMax), NoEffect: true},
	{Key: "segment.index.bytes", Type: broker.TypeInt, Default: text(10 << 20), check: between(4, intMax), NoEffect: true},
	{Key: "segment.jitter.ms", Type: broker.TypeLong, Default: "0", check: between(0, longMax), NoEffect: true},
	{Key: "segment.ms", Type: broker.TypeLong, Default: text(7 * day), check: between(1, longMax), NoEffect: true},
})

func sortKeys(ks []ConfigKey) []ConfigKey {
	slices.SortFunc(ks, func(a, b ConfigKey) int { return strings.Compare(a.Key, b.Key) })
	return ks
}

// ConfigKeys lists every key, by name.
func ConfigKeys() []ConfigKey { return slices.Clone(configKeys) }

func findKey(key string) (*ConfigKey, bool) {
	i, ok := slices.BinarySearchFunc(configKeys, key, func(k ConfigKey, s string) int { return strings.Compare(k.Key, s) })
	if !ok {
		return nil, false
	}
	return &configKeys[i], true
}

// KnownKey says whether there is such a key.
func KnownKey(key string) bool { _, ok := findKey(key); return ok }

// List is the list that a key of that type has in a configuration, or by default.
func List(configs map[string]string, key string) ([]string, error) {
	k, ok := findKey(key)
	switch {
	case !ok:
		return nil, fmt.Errorf("the key %q is not known", key)
	case k.Type != broker.TypeList:
		return nil, fmt.Errorf("the key %q is not a list: its value can be set or deleted", key)
	}
	value, set := configs[key]
	if !set {
		value = k.Default
	}
	var list []string
	for _, item := range strings.Split(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list, nil
}

func text(v int64) string { return strconv.FormatInt(v, 10) }

func between(lo, hi int64) func(string) error {
	return func(value string) error {
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil || n < lo || n > hi {
			return fmt.Errorf("want a whole number from %d to %d", lo, hi)
		}
		return nil
	}
}

func oneOf(values ...string) func(string) error {
	return func(value string) error {
		if !slices.Contains(values, value) {
			return fmt.Errorf("want %s", strings.Join(values, " or "))
		}
		return nil
	}
}

func checkCleanup(value string) error {
	for _, p := range strings.Split(value, ",") {
		switch strings.TrimSpace(p) {
		case "delete", "compact":
		default:
			return fmt.Errorf("want delete, compact, or both")
		}
	}
	return nil
}

func checkColocate(value string) error {
	if value == "" {
		return nil
	}
	if len(value) > TopicNameBytesMax {
		return fmt.Errorf("want at most %d bytes", TopicNameBytesMax)
	}
	for _, c := range []byte(value) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return fmt.Errorf("want letters, digits, '.', '_' and '-'")
		}
	}
	if ColocationOf(value) != value {
		return fmt.Errorf("want no %q: groups and transactional ids have it behind the name", colocationMark)
	}
	return nil
}

func checkGzipLevel(value string) error {
	if value == "-1" {
		return nil
	}
	return between(1, 9)(value)
}

func checkRatio(value string) error {
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return fmt.Errorf("want a number from 0 to 1")
	}
	return nil
}

// checkThrottled accepts Kafka's partition:node lists and the wildcard.
func checkThrottled(value string) error {
	if value == "" || value == "*" {
		return nil
	}
	for _, p := range strings.Split(value, ",") {
		a, b, ok := strings.Cut(strings.TrimSpace(p), ":")
		if !ok || between(0, intMax)(a) != nil || between(0, intMax)(b) != nil {
			return fmt.Errorf("want partition:node pairs or *")
		}
	}
	return nil
}

// ValidateConfigs refuses unknown keys and wrong values (CodeInvalidConfig, naming the first key by name). Majority is
// that of the shards' replicas, the only value that min.insync.replicas may have (see View.Majority).
func ValidateConfigs(configs map[string]string, majority int) error {
	for _, key := range slices.Sorted(maps.Keys(configs)) {
		refuse := func(format string, args ...any) error {
			return broker.Errorf(broker.CodeInvalidConfig, "validate config", fmt.Sprintf("key %q", key), format, args...)
		}
		k, ok := findKey(key)
		if !ok {
			return refuse("the key is not known")
		}
		value := configs[key]
		if err := k.check(value); err != nil {
			return refuse("value %q: %w", value, err)
		}
		if key == KeyMinInsyncReplicas {
			if n, _ := strconv.Atoi(strings.TrimSpace(value)); n != majority {
				return refuse("value %q: it is fixed to the majority of the shard's replicas, %d", value, majority)
			}
		}
	}
	c := (&Topic{Configs: configs}).Effective()
	if c.MinCompactionLagMs > c.MaxCompactionLagMs {
		return broker.Errorf(broker.CodeInvalidConfig, "validate config", fmt.Sprintf("key %q", KeyMinCompactionLagMs), "%d is more than %s, %d",
			c.MinCompactionLagMs, KeyMaxCompactionLagMs, c.MaxCompactionLagMs)
	}
	return nil
}

// Entries lists every key with the value in force for a topic, as DescribeConfigs shows it.
func Entries(configs map[string]string, majority int) []broker.ConfigEntry {
	out := make([]broker.ConfigEntry, 0, len(configKeys))
	for _, k := range configKeys {
		e := broker.ConfigEntry{Key: k.Key, Value: k.Default, Source: broker.SourceDefault, Type: k.Type, NoEffect: k.NoEffect, Doc: k.Doc}
		if v, set := configs[k.Key]; set {
			e.Value, e.Source = v, broker.SourceTopic
		}
		switch k.Key {
		case KeyMinInsyncReplicas:
			e.Value, e.ReadOnly = strconv.Itoa(majority), true
		case KeyCompressionType, KeyUncleanLeaderElection:
			e.ReadOnly = true
		}
		out = append(out, e)
	}
	return out
}

// Effective is what of a topic's configuration the engine goes by.
type Effective struct {
	RetentionMs     int64 // −1: for ever
	RetentionBytes  int64 // −1: no bound
	MaxMessageBytes int32
	LogAppendTime   bool
	Colocate        string

	Delete, Compact    bool // cleanup.policy
	DeleteRetentionMs  int64
	MinCompactionLagMs int64
	MaxCompactionLagMs int64
	DirtyMillionths    uint32 // of min.cleanable.dirty.ratio
}

// Effective reads the values in force. Values were validated when they were set.
func (t *Topic) Effective() Effective {
	number := func(key string) int64 {
		n, _ := strconv.ParseInt(strings.TrimSpace(t.value(key)), 10, 64)
		return n
	}
	policy, _ := List(t.Configs, KeyCleanupPolicy)
	ratio, _ := strconv.ParseFloat(t.value(KeyMinCleanableRatio), 64)
	return Effective{Delete: slices.Contains(policy, "delete"), Compact: slices.Contains(policy, "compact"), DeleteRetentionMs: number(KeyDeleteRetentionMs),
		MinCompactionLagMs: number(KeyMinCompactionLagMs), MaxCompactionLagMs: number(KeyMaxCompactionLagMs), DirtyMillionths: uint32(ratio * 1e6),
		RetentionMs: number(KeyRetentionMs), RetentionBytes: number(KeyRetentionBytes), MaxMessageBytes: int32(number(KeyMaxMessageBytes)),
		LogAppendTime: t.value(KeyTimestampType) == "LogAppendTime", Colocate: t.value(KeyColocate)}
}

func (t *Topic) value(key string) string {
	k, known := findKey(key)
	if v, set := t.Configs[key]; set && (!known || k.check(v) == nil) {
		return v
	}
	if !known {
		return ""
	}
	return k.Default
}
