package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
)

// Topic is one topic. A Topic in a View is never changed.
type Topic struct {
	ID       broker.TopicID
	Name     string
	Internal bool
	// Shards says where each partition lives, by partition.
	Shards []broker.ShardID
	// Configs are the keys that were set; what is not set has its default.
	Configs map[string]string
	// ConfigVersion is the catalog version that set Configs last.
	ConfigVersion uint64
}

// String prints one line.
func (t *Topic) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "topic %s id=%v shards=%v", t.Name, t.ID, t.Shards)
	for _, k := range slices.Sorted(maps.Keys(t.Configs)) {
		fmt.Fprintf(&b, " %s=%s", k, t.Configs[k])
	}
	return b.String()
}

// reserved names belong to Kafka's own internals; a client that saw them as plain topics would read nonsense.
var reserved = map[string]bool{"__consumer_offsets": true, "__transaction_state": true}

// CheckTopicName refuses what Kafka refuses (CodeInvalidTopic): empty, "." and "..", more than 249 bytes, anything but
// letters, digits, '.', '_' and '-'; and the reserved names. Two names that differ only in '.' and '_' are accepted, as
// Kafka accepts them with a warning when its metrics, which fold the two, would collide: see CollidesWith.
func CheckTopicName(name string) error {
	refuse := func(format string, args ...any) error {
		return broker.Errorf(broker.CodeInvalidTopic, "check topic name", fmt.Sprintf("topic %q", name), format, args...)
	}
	switch {
	case name == "":
		return refuse("the name is empty")
	case name == "." || name == "..":
		return refuse("the name may not be %q", name)
	case len(name) > TopicNameBytesMax:
		return refuse("the name has %d bytes, more than %d", len(name), TopicNameBytesMax)
	case reserved[name]:
		return refuse("the name is reserved")
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return refuse("byte %d is %q; allowed are letters, digits, '.', '_' and '-'", i, c)
		}
	}
	return nil
}

// CollidesWith names a topic whose metrics would fall together with those of name ('.' and '_' are one there), or "".
func (v *View) CollidesWith(name string) string {
	if !strings.ContainsAny(name, "._") {
		return ""
	}
	folded := strings.ReplaceAll(name, ".", "_")
	for _, t := range v.topics {
		if t.Name != name && strings.ReplaceAll(t.Name, ".", "_") == folded {
			return t.Name
		}
	}
	return ""
}
