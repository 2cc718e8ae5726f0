package queueing

import (
	"iter"
	"maps"
	"slices"
)

// chunk is the messages of chunkMessages sequences; nothing is kept of what is gone at its front, and of a chunk that is gone whole.
type chunk struct {
	skip     int // sequences at the front that are not in messages
	live     int // not gone
	messages []message
	keys     []*key // of each, in a queue that keeps the order of keys; else nil
}

// at is the place of a sequence in messages.
func (c *chunk) at(sequence uint64) int { return int(sequence%chunkMessages) - c.skip }

// at is a message that is not gone.
func (l *line) at(sequence uint64) *message {
	c := l.chunks[sequence/chunkMessages]
	return &c.messages[c.at(sequence)]
}

// key is the key of a message that is not gone, in a queue that keeps the order of keys.
func (l *line) key(sequence uint64) *key {
	c := l.chunks[sequence/chunkMessages]
	return c.keys[c.at(sequence)]
}

// stateOf is the state of any message there was.
func (l *line) stateOf(sequence uint64) state {
	if c := l.chunks[sequence/chunkMessages]; c != nil {
		if i := c.at(sequence); i >= 0 && i < len(c.messages) {
			return c.messages[i].state
		}
	}
	return gone
}

// put adds a message behind all others.
func (l *line) put(x message, k *key) {
	n := l.next / chunkMessages
	c := l.chunks[n]
	if c == nil {
		c = &chunk{skip: int(l.next % chunkMessages)}
		l.chunks[n] = c
	}
	if len(c.messages) == cap(c.messages) {
		c.trim()
	}
	c.messages = append(c.messages, x)
	if k != nil {
		c.keys = append(c.keys, k)
	}
	c.live++
	l.next++
}

// trim forgets messages at the front that are gone, if that is much, before more memory is taken.
func (c *chunk) trim() {
	n := 0
	for n < len(c.messages) && c.messages[n].state == gone {
		n++
	}
	if n == 0 || n < len(c.messages)/2 {
		return
	}
	c.skip += n
	c.messages = slices.Delete(c.messages, 0, n)
	if c.keys != nil {
		c.keys = slices.Delete(c.keys, 0, n)
	}
}

// clear makes a message gone, and moves the base on over those that are.
func (l *line) clear(sequence uint64) {
	n := sequence / chunkMessages
	c := l.chunks[n]
	i := c.at(sequence)
	c.messages[i] = message{}
	if c.keys != nil {
		c.keys[i] = nil
	}
	c.live--
	switch {
	case c.live > 0:
	case n == l.next/chunkMessages: // the next messages come here
		c.skip, c.messages = int(l.next%chunkMessages), c.messages[:0]
		if c.keys != nil {
			c.keys = c.keys[:0]
		}
	default:
		delete(l.chunks, n)
	}
	for l.base < l.next && l.stateOf(l.base) == gone {
		if c := l.chunks[l.base/chunkMessages]; c == nil || c.live == 0 {
			l.base = min((l.base/chunkMessages+1)*chunkMessages, l.next)
		} else {
			l.base++
		}
	}
}

// all yields the messages that are not gone, by sequence.
func (l *line) all() iter.Seq2[uint64, *message] {
	return func(yield func(uint64, *message) bool) {
		for _, n := range slices.Sorted(maps.Keys(l.chunks)) {
			for s, x := range l.chunks[n].all(n) {
				if !yield(s, x) {
					return
				}
			}
		}
	}
}

// all yields the messages of a chunk that are not gone; number is the chunk's.
func (c *chunk) all(number uint64) iter.Seq2[uint64, *message] {
	return func(yield func(uint64, *message) bool) {
		first := number*chunkMessages + uint64(c.skip)
		for i := range c.messages {
			if c.messages[i].state != gone && !yield(first+uint64(i), &c.messages[i]) {
				return
			}
		}
	}
}

// load puts a message at its place: rising, before anything else is done.
func (l *line) load(sequence uint64, x message, k *key) {
	n := sequence / chunkMessages
	c := l.chunks[n]
	if c == nil {
		c = &chunk{skip: int(sequence % chunkMessages)}
		l.chunks[n] = c
	}
	c.pad(c.at(sequence), k != nil)
	c.messages = append(c.messages, x)
	if k != nil {
		c.keys = append(c.keys, k)
	}
	c.live++
}

// pad adds gone messages until there are so many in all.
func (c *chunk) pad(n int, keyed bool) {
	for len(c.messages) < n {
		c.messages = append(c.messages, message{})
		if keyed {
			c.keys = append(c.keys, nil)
		}
	}
}
