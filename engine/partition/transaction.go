package partition

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/participant"
)

// heldBy names what a partition knows of one producer's transactions: a row that Flush is to write.
type heldBy struct {
	partition *partition
	producer  txn.ProducerID
}

// held notes that the row of a producer changed.
func (m *Machine) held(p *partition, id txn.ProducerID) {
	h := heldBy{p, id}
	if n := len(m.dirtyHolds); n == 0 || m.dirtyHolds[n-1] != h { // one that is there twice is written twice
		m.dirtyHolds = append(m.dirtyHolds, h)
	}
}

// Grant opens a hold of a transaction, after it closed those that the grant says have ended before. here is false if the
// shard has no such partition. A grant that is refused may have closed some of them: they have ended whatever becomes of it.
func (m *Machine) Grant(ctx Context, id broker.Partition, g txn.Grant, w keyspace.Writer) (here bool, r *txn.Refusal) {
	p := m.byID[id]
	if p == nil {
		return false, nil
	}
	for _, d := range g.Earlier {
		if r := m.close(ctx, p, d, w); r != nil {
			return true, r
		}
	}
	if r := p.transactions().Grant(g, int64(ctx.Clock)); r != nil {
		return true, r
	}
	m.held(p, g.ProducerID)
	return true, nil
}

// Close takes the decision about a transaction: its marker is appended if it wrote anything here. here is as Grant's.
func (m *Machine) Close(ctx Context, id broker.Partition, d txn.Decision, w keyspace.Writer) (here bool, r *txn.Refusal) {
	p := m.byID[id]
	if p == nil {
		return false, nil
	}
	return true, m.close(ctx, p, d, w)
}

// close appends the marker, lists what was aborted, and fences what comes late, all in this apply.
func (m *Machine) close(ctx Context, p *partition, d txn.Decision, w keyspace.Writer) *txn.Refusal {
	c, r := p.transactions().Close(d, int64(p.Next), int64(ctx.Clock))
	if r != nil || c.Done {
		return r
	}
	m.held(p, d.ProducerID)
	if c.Marker {
		m.appendMarker(ctx, p, d, w)
	}
	if c.HasAborted {
		m.key = keyspace.AppendAbortedKey(m.key[:0], p.Slot, broker.Offset(c.Aborted.Last))
		m.value = appendAbortedRow(m.value[:0], c.Aborted)
		w.Set(m.key, m.value)
	}
	// A producer that has ended here has a window, so that what is remembered of its transactions is forgotten with it. No
	// bound on windows refuses it: what is decided must be taken.
	id := broker.ProducerID(d.ProducerID)
	win := p.windows[id]
	if win == nil {
		win = m.addWindow(p, id)
	}
	win.SetEpoch(d.Epoch, int64(ctx.Clock))
	m.used(win)
	return nil
}

// appendMarker adds the control batch to the log.
func (m *Machine) appendMarker(ctx Context, p *partition, d txn.Decision, w keyspace.Writer) {
	wall := max(ctx.Wall, 0)
	b := Batch{
		Base: p.Next, Last: p.Next, Name: Name{Index: ctx.Index, Length: markerBytes}, Epoch: m.epoch(p),
		Attributes: transactionalBit | controlBit, MaxTimestamp: wall, MaxAt: p.Next, LogAppendTime: -1, Age: wall,
		BytesEnd: p.BytesTotal + uint64(markerBytes), Appended: uint64(markerBytes), Horizon: -1,
		Marker: Marker{ProducerID: broker.ProducerID(d.ProducerID), Epoch: broker.ProducerEpoch(d.Epoch), Commit: d.Outcome == txn.Commit,
			CoordinatorEpoch: int32(min(m.term, epochMax))},
	}
	if p.Config.LogAppendTime {
		b.LogAppendTime = wall
	}
	m.key = keyspace.AppendBatchKey(m.key[:0], p.Slot, b.Last)
	m.value = appendBatchRow(m.value[:0], &b)
	w.Set(m.key, m.value)
	m.grow(p, &b, w)
	m.advance(p, &b, w)
}

// admit says whether a batch may be appended as far as transactions are concerned.
func (p *partition) admit(id broker.ProducerID, epoch broker.ProducerEpoch, number uint64, transactional bool) broker.Code {
	if !transactional {
		if id >= 0 && p.txns != nil && p.txns.Open(txn.ProducerID(id)) != 0 {
			return broker.CodeInvalidTransactionState // as Kafka: what a transaction holds takes no other batches of its producer
		}
		return broker.CodeNone
	}
	if p.txns == nil {
		return broker.CodeNotInTransaction
	}
	switch r := p.txns.Check(txn.ProducerID(id), txn.Epoch(epoch), txn.Number(number)); {
	case r == nil:
		return broker.CodeNone
	case r.Code == txn.InvalidProducerEpoch:
		return broker.CodeProducerFenced
	}
	return broker.CodeNotInTransaction
}

// ofEarlier says that what a producer appended at this offset was in a transaction before its open one. A client of the
// first protocol version that sends the same records again in its next transaction, under sequences that it believes
// unused, must not be told that they are there: they have ended with the last one.
func (p *partition) ofEarlier(id broker.ProducerID, base broker.Offset) bool {
	if p.txns == nil || p.txns.Open(txn.ProducerID(id)) == 0 {
		return false
	}
	first := p.txns.First(txn.ProducerID(id))
	return first < 0 || int64(base) < first
}

// Standing is what the leader must know of a transactional batch before it proposes it.
type Standing struct {
	// Ready: it may be proposed: there is a hold for it, or it is a retry, or the window refuses it anyway.
	Ready  bool
	Number txn.Number // of the hold; 0 if there is none
}

// Standing looks at the hold and the window that a batch would meet. Only apply decides.
func (m *Machine) Standing(id broker.Partition, producer broker.ProducerID, epoch broker.ProducerEpoch, first, last txn.Sequence, fingerprint uint64) Standing {
	p := m.byID[id]
	if p == nil {
		return Standing{Ready: true}
	}
	if p.txns != nil {
		if r := p.txns.Check(txn.ProducerID(producer), txn.Epoch(epoch), 0); r == nil {
			return Standing{Ready: true, Number: p.txns.Open(txn.ProducerID(producer))}
		} else if r.Code != txn.NoHold {
			return Standing{Ready: true}
		}
	}
	if win := p.windows[producer]; win != nil && win.Check(txn.Epoch(epoch), first, last, fingerprint).Action != txn.Append {
		return Standing{Ready: true}
	}
	return Standing{}
}

// Open is the number of a producer's open hold on a partition, 0 if it has none.
func (m *Machine) Open(id broker.Partition, producer txn.ProducerID) txn.Number {
	if p := m.byID[id]; p != nil && p.txns != nil {
		return p.txns.Open(producer)
	}
	return 0
}

// Holds are the open holds of a partition, by rising producer id.
func (m *Machine) Holds(id broker.Partition) []participant.Hold {
	if p := m.byID[id]; p != nil && p.txns != nil {
		return p.txns.Holds()
	}
	return nil
}

// Producers are the producers that a partition remembers, by rising id.
func (m *Machine) Producers(id broker.Partition) []broker.ProducerDescription {
	p := m.byID[id]
	if p == nil {
		return nil
	}
	starts := map[broker.ProducerID]broker.Offset{}
	for _, h := range m.Holds(id) {
		starts[broker.ProducerID(h.ProducerID)] = broker.Offset(h.First)
	}
	all := make([]broker.ProducerDescription, 0, len(p.windows))
	for producer, w := range p.windows { //lint:sorted below
		d := broker.ProducerDescription{Producer: producer, Epoch: broker.ProducerEpoch(w.Epoch()), LastSequence: -1, LastTimestamp: w.LastUsed(),
			CoordinatorEpoch: -1, TransactionStart: -1}
		if last, ok := w.LastSequence(); ok {
			d.LastSequence = int32(last)
		}
		if first, ok := starts[producer]; ok {
			d.TransactionStart = first
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b broker.ProducerDescription) int { return cmp.Compare(a.Producer, b.Producer) })
	return all
}

// transactions makes the partition one that knows transactions.
func (p *partition) transactions() *participant.Partition {
	if p.txns == nil {
		p.txns = new(participant.Partition)
	}
	return p.txns
}

// lastStable is the last stable offset.
func (p *partition) lastStable() broker.Offset {
	if p.txns == nil {
		return p.Next
	}
	return broker.Offset(p.txns.LastStable(int64(p.Start), int64(p.Next)))
}

// held says whether a producer has an open hold: then it does not expire.
func (w *window) held() bool {
	return w.partition.txns != nil && w.partition.txns.Open(txn.ProducerID(w.producer)) != 0
}

// forgetHold forgets what is known of a producer's transactions, with its window.
func (m *Machine) forgetHold(p *partition, id broker.ProducerID, w keyspace.Writer) {
	if p.txns != nil && p.txns.Forget(txn.ProducerID(id)) {
		m.key = keyspace.AppendHoldKey(m.key[:0], p.Slot, id)
		w.Delete(m.key)
	}
}

func (m *Machine) flushHolds(w keyspace.Writer) {
	for i, h := range m.dirtyHolds {
		id := broker.ProducerID(h.producer)
		m.key = keyspace.AppendHoldKey(m.key[:0], h.partition.Slot, id)
		var known bool
		if m.value, known = h.partition.txns.AppendRow(m.value[:0], h.producer); known && m.bySlot[h.partition.Slot] == h.partition {
			w.Set(m.key, m.value)
		}
		m.dirtyHolds[i] = heldBy{}
	}
	m.dirtyHolds = m.dirtyHolds[:0]
}

func (m *Machine) loadHold(k, v []byte) error {
	slot, producer, err := keyspace.DecodeHoldKey(k)
	if err != nil {
		return fmt.Errorf("%w: hold: %w", ErrRow, err)
	}
	p := m.bySlot[slot]
	if p == nil {
		return fmt.Errorf("%w: hold %x of a partition that is not there", ErrRow, k)
	}
	if err := p.transactions().LoadRow(txn.ProducerID(producer), v); err != nil {
		return fmt.Errorf("%w: hold %x: %w", ErrRow, k, err)
	}
	return nil
}

const abortedVersion = 1

// appendAbortedRow encodes an aborted transaction; the marker's offset is in the key. Varints: version | producer |
// last−first | stable−last.
func appendAbortedRow(dst []byte, a participant.Aborted) []byte {
	e := encoder{append(dst, abortedVersion)}
	e.uint(uint64(a.ProducerID))
	e.uint(uint64(a.Last - a.First))
	e.int(a.Stable - a.Last)
	return e.b
}

func decodeAbortedRow(key, value []byte) (participant.Aborted, error) {
	_, last, err := keyspace.DecodeAbortedKey(key)
	if err != nil {
		return participant.Aborted{}, fmt.Errorf("%w: aborted: %w", ErrRow, err)
	}
	d := open(value, abortedVersion)
	a := participant.Aborted{ProducerID: txn.ProducerID(d.uint(1<<63 - 1)), Last: int64(last)}
	a.First = a.Last - int64(d.uint(1<<63-1))
	a.Stable = a.Last + d.intIn(-a.Last, 1)
	if a.Last < 0 || a.First < 0 {
		d.failed = true
	}
	return a, d.end("aborted", key)
}

// Aborted are, of the log's stable part, the aborted transactions that have records at from ≤ offset < to, by their first offset. (An entry whose
// Stable reaches to is the last to look at: see participant.AbortedWithin.) The caller must see to it that nothing was
// trimmed between its look at the batches and this one. An aborted record supersedes nothing: compaction asks here, too.
func Aborted(r keyspace.Reader, h *Head, from, to broker.Offset) ([]participant.Aborted, error) {
	lo := keyspace.AppendAbortedKey(nil, h.Slot, from)
	_, hi := keyspace.SlotRange(keyspace.TableAborted, h.Slot)
	var found []participant.Aborted
	var failed error
	err := r.Scan(lo, hi, func(k, v []byte) bool {
		a, err := decodeAbortedRow(k, v)
		if err != nil {
			failed = err
			return false
		}
		if a.First < int64(to) {
			found = append(found, a)
		}
		return a.Stable < int64(to)
	})
	slices.SortFunc(found, func(a, b participant.Aborted) int { return cmp.Compare(a.First, b.First) })
	if failed != nil {
		return nil, failed
	}
	return found, err
}
