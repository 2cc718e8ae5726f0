package group

import "encoding/binary"

// subscriptions are the topics that the members consume, read from the metadata of the "consumer" protocol type. It is
// nil when they are not known: another protocol type, a group that is not stable, or bytes that do not parse. Then
// nothing expires and no offset may be deleted.
func (s *State) subscriptions() map[string]bool {
	if s.ProtocolType != "consumer" || s.Phase != PhaseStable {
		return nil
	}
	topics := make(map[string]bool)
	for _, m := range s.Members {
		if !readSubscription(m.metadata(s.Protocol), topics) {
			return nil
		}
	}
	return topics
}

// readSubscription reads the head of Kafka's ConsumerProtocolSubscription, the same in all its versions:
//
//	version int16 | topics: count int32, each int16 length and bytes | …
func readSubscription(b []byte, topics map[string]bool) bool {
	if len(b) < 6 || int16(binary.BigEndian.Uint16(b)) < 0 {
		return false
	}
	n := int32(binary.BigEndian.Uint32(b[2:]))
	if n < 0 || n > subscriptionTopicsMax {
		return false
	}
	b = b[6:]
	for range n {
		if len(b) < 2 {
			return false
		}
		l := int(int16(binary.BigEndian.Uint16(b)))
		if l < 0 || l > len(b)-2 {
			return false
		}
		topics[string(b[2:2+l])] = true
		b = b[2+l:]
	}
	return true
}
