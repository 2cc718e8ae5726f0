package kafka

import (
	"math/bits"
	"sync"
)

// bufferPool keeps buffers of powers of two between pooledBytesMin and pooledBytesMax.
type bufferPool struct {
	classes [bufferClasses]sync.Pool
}

const bufferClasses = 11 // 4 KiB << 10 = 4 MiB

// get returns a buffer of length n, whose bytes are anything. Above pooledBytesMax it is new, and exactly n.
func (p *bufferPool) get(n int) []byte {
	if n > pooledBytesMax {
		return make([]byte, n)
	}
	class := bufferClass(n)
	if b, ok := p.classes[class].Get().(*[]byte); ok {
		return (*b)[:n]
	}
	return make([]byte, n, pooledBytesMin<<class)
}

// put takes back a buffer that nobody uses any more.
func (p *bufferPool) put(b []byte) {
	n := cap(b)
	if n < pooledBytesMin || n > pooledBytesMax || n&(n-1) != 0 {
		return
	}
	b = b[:0]
	p.classes[bufferClass(n)].Put(&b)
}

// bufferClass is the smallest class whose buffers hold n bytes.
func bufferClass(n int) int {
	if n <= pooledBytesMin {
		return 0
	}
	return bits.Len(uint(n-1)) - bits.Len(uint(pooledBytesMin-1))
}
