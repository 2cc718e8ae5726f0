package kafka_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/kafka"
	"github.com/tallymq/tallymq/protocols/kafka/kafkatest"
)

func limit(t *testing.T, b *kafkatest.Broker, k broker.QuotaKey, clientID string, rate int64) {
	t.Helper()
	a := broker.QuotaAlteration{Changes: []broker.QuotaChange{{Key: k, Rate: rate}},
		Entity: broker.QuotaEntity{ClientID: broker.QuotaName{Kind: broker.QuotaNamed, Name: clientID}}}
	if err := b.AlterQuota(t.Context(), broker.Client{}, a); err != nil {
		t.Fatal(err)
	}
}

// A producer over its quota is served, told to rest, and its connection rests although it goes on; another client is not kept up.
func TestProducersRest(t *testing.T) {
	inBubble(t, kafka.Limits{}, func(t *testing.T, p *pipes, b *kafkatest.Broker, s *kafka.Server) {
		q := produceOf(-1, "t", map[int32][]byte{0: batch(4000)})
		size := int64(len(frame(q, 9, 1)) - 4)
		limit(t, b, broker.QuotaProducerBytes, "raw", size/2)
		c := p.dial()
		ask := func(c int32, conn interface {
			Write([]byte) (int, error)
		}) {
			if _, err := conn.Write(frame(q, 9, c)); err != nil {
				t.Error(err)
			}
		}
		start := time.Now()
		go func() {
			for i := range int32(3) {
				ask(i, c)
			}
		}()
		for i := range int32(3) {
			resp := expect[*kmsg.ProduceResponse](t, c, q, i)
			if resp.Topics[0].Partitions[0].ErrorCode != 0 {
				t.Fatalf("%+v", resp)
			}
			// Half of the first is saved up; of each later one, none.
			if want := int32(1000 + 1000*min(i, 1)); resp.ThrottleMillis != want {
				t.Errorf("request %d: told to rest %d ms, not %d", i, resp.ThrottleMillis, want)
			}
			if i == 0 { // another client, meanwhile
				other := p.dial()
				format := kmsg.NewRequestFormatter(kmsg.FormatterClientID("other"))
				q.SetVersion(9)
				go other.Write(format.AppendRequest(nil, q, 7))
				if r := expect[*kmsg.ProduceResponse](t, other, q, 7); r.ThrottleMillis != 0 || time.Since(start) != 0 {
					t.Errorf("another client: %+v after %v", r, time.Since(start))
				}
			}
			if want := []time.Duration{0, time.Second, 3 * time.Second}[i]; time.Since(start) != want {
				t.Errorf("request %d answered after %v, not %v", i, time.Since(start), want)
			}
		}
		if n := s.Stats().Rests; n != 3 {
			t.Errorf("%d rests", n)
		}
	})
}

// A connection that rests ends at once when its server does.
func TestRestingConnectionsEnd(t *testing.T) {
	inBubble(t, kafka.Limits{}, func(t *testing.T, p *pipes, b *kafkatest.Broker, s *kafka.Server) {
		limit(t, b, broker.QuotaProducerBytes, "raw", 1)
		c := p.dial()
		q := produceOf(-1, "t", map[int32][]byte{0: batch(4000)})
		go c.Write(append(frame(q, 9, 1), frame(q, 9, 2)...))
		if r := expect[*kmsg.ProduceResponse](t, c, q, 1); r.ThrottleMillis != 25_000 {
			t.Errorf("%+v", r)
		}
		synctest.Wait()
		start := time.Now()
		if err := s.Shutdown(t.Context()); err != nil || time.Since(start) != 0 {
			t.Errorf("shut down after %v: %v", time.Since(start), err)
		}
	})
}

// A consumer over its quota is told to rest, with nothing else, and what its session was told stays as it was.
func TestConsumersRest(t *testing.T) {
	inBubble(t, kafka.Limits{}, func(t *testing.T, p *pipes, b *kafkatest.Broker, _ *kafka.Server) {
		appendTo(t, b, 0)
		a, z := &sessionClient{t: t, c: p.dial()}, &sessionClient{t: t, c: p.dial()}
		r := a.fetch(0, 0, []int32{0}, nil)
		size := int64(len(r.Topics[0].Partitions[0].RecordBatches))
		id := r.SessionID
		limit(t, b, broker.QuotaConsumerBytes, "raw", size)

		start := time.Now()
		ask := func(c *sessionClient, id, epoch int32, wants []int32, after time.Duration, rest int32, parts ...int32) *kmsg.FetchResponse {
			t.Helper()
			r := c.fetch(id, epoch, wants, nil)
			if r.ErrorCode != 0 || r.ThrottleMillis != rest || !same(told(r), parts...) || time.Since(start) != after {
				t.Fatalf("after %v, not %v: %+v", time.Since(start), after, r)
			}
			return r
		}
		ask(z, 0, 0, []int32{0}, 0, 0, 0)           // what was saved up
		ask(z, 0, 0, []int32{0}, 0, 1000, 0)        // one batch at least
		ask(a, id, 1, []int32{0}, 0, 1000)          // another connection of the client
		ask(a, id, 2, nil, time.Second, 1000, 0)    // the session goes on
		ask(z, 0, 0, []int32{0}, time.Second, 1000) // no session is begun by it
		if r := ask(z, 0, 0, []int32{0}, 2*time.Second, 1000, 0); r.SessionID == 0 {
			t.Errorf("%+v", r)
		}
	})
}

// What Kafka's clients alter and describe.
func TestClientAltersQuotas(t *testing.T) {
	ctx := within(t)
	w := newWorld(t, kafka.Limits{})
	adm := kadm.NewClient(w.client())
	one := func(v string) *string { return &v }
	entity := func(pairs ...any) (e kadm.ClientQuotaEntity) {
		for i := 0; i < len(pairs); i += 2 {
			name, _ := pairs[i+1].(string)
			c := kadm.ClientQuotaEntityComponent{Type: pairs[i].(string)}
			if name != "" {
				c.Name = one(name)
			}
			e = append(e, c)
		}
		return e
	}
	alter := func(want error, e kadm.ClientQuotaEntity, ops ...kadm.AlterClientQuotaOp) {
		t.Helper()
		rs, err := adm.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{{Entity: e, Ops: ops}})
		if err != nil || len(rs) != 1 || !errors.Is(rs[0].Err, want) || rs[0].Entity.String() != e.String() {
			t.Errorf("%v %v: %+v %v, want %v", e, ops, rs, err, want)
		}
	}
	producer := func(rate float64) kadm.AlterClientQuotaOp {
		return kadm.AlterClientQuotaOp{Key: "producer_byte_rate", Value: rate}
	}
	alter(nil, entity("user", "ANONYMOUS"), producer(1000), kadm.AlterClientQuotaOp{Key: "consumer_byte_rate", Value: 2000})
	alter(nil, entity("user", "ANONYMOUS"), kadm.AlterClientQuotaOp{Key: "consumer_byte_rate", Remove: true})
	alter(nil, entity("client-id", ""), producer(3))
	alter(nil, entity("user", "u", "client-id", "c"), producer(4))
	alter(kerr.InvalidRequest, entity("ip", "127.0.0.1"), kadm.AlterClientQuotaOp{Key: "connection_creation_rate", Value: 1})
	alter(kerr.InvalidRequest, entity("user", "u", "user", "v"), producer(1))
	alter(kerr.InvalidRequest, entity("user", "u"), kadm.AlterClientQuotaOp{Key: "request_percentage", Value: 1})
	for _, rate := range []float64{0, -1, 1.5, math.NaN(), math.Inf(1), 1e300} {
		alter(kerr.InvalidRequest, entity("user", "u"), producer(rate))
	}
	if rs, err := adm.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{
		{Entity: entity("user", "u", "client-id", "d"), Ops: []kadm.AlterClientQuotaOp{producer(1)}},
		{Entity: entity("client-id", "d", "user", "u"), Ops: []kadm.AlterClientQuotaOp{producer(1)}}}); err != nil || !errors.Is(rs[0].Err, kerr.InvalidRequest) || !errors.Is(rs[1].Err, kerr.InvalidRequest) {
		t.Errorf("an entity twice: %+v %v", rs, err)
	}
	if rs, err := adm.ValidateAlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{{Entity: entity("user", "v"), Ops: []kadm.AlterClientQuotaOp{producer(1)}}}); err != nil || rs[0].Err != nil {
		t.Errorf("validated: %+v %v", rs, err)
	}

	describe := func(strict bool, want string, cs ...kadm.DescribeClientQuotaComponent) {
		t.Helper()
		qs, err := adm.DescribeClientQuotas(ctx, strict, cs)
		got := ""
		if err != nil {
			got = err.Error()
		}
		for _, q := range qs {
			got += fmt.Sprintf("%v %s=%v;", q.Entity, q.Values[0].Key, q.Values[0].Value)
		}
		if got != want {
			t.Errorf("strict %v %v:\n%s\nwant\n%s", strict, cs, got, want)
		}
	}
	is := func(kind, name string) kadm.DescribeClientQuotaComponent {
		return kadm.DescribeClientQuotaComponent{Type: kind, MatchName: one(name), MatchType: kmsg.QuotasMatchTypeExact}
	}
	some := func(kind string, m kmsg.QuotasMatchType) kadm.DescribeClientQuotaComponent {
		return kadm.DescribeClientQuotaComponent{Type: kind, MatchType: m}
	}
	const anonymous, byDefault, both = "{user=ANONYMOUS} producer_byte_rate=1000;", "{client-id=<default>} producer_byte_rate=3;", "{user=u, client-id=c} producer_byte_rate=4;"
	describe(false, anonymous+byDefault+both)
	describe(true, "")
	describe(false, anonymous+both, some("user", kmsg.QuotasMatchTypeAny))
	describe(true, anonymous, some("user", kmsg.QuotasMatchTypeAny))
	describe(false, anonymous, is("user", "ANONYMOUS"))
	describe(false, "", is("user", "w"))
	describe(false, byDefault, some("client-id", kmsg.QuotasMatchTypeDefault))
	describe(true, both, is("user", "u"), is("client-id", "c"))
	describe(false, "", is("ip", "127.0.0.1"))
	for _, bad := range []struct {
		want error
		cs   []kadm.DescribeClientQuotaComponent
	}{
		{kerr.InvalidRequest, []kadm.DescribeClientQuotaComponent{is("user", "a"), is("user", "b")}},
		{kerr.InvalidRequest, []kadm.DescribeClientQuotaComponent{is("", "a")}},
		{kerr.InvalidRequest, []kadm.DescribeClientQuotaComponent{is("ip", "1"), is("user", "b")}},
		{kerr.InvalidRequest, []kadm.DescribeClientQuotaComponent{some("user", kmsg.QuotasMatchTypeExact)}},
		{kerr.InvalidRequest, []kadm.DescribeClientQuotaComponent{some("user", 9)}},
		{kerr.UnsupportedVersion, []kadm.DescribeClientQuotaComponent{is("host", "a")}},
	} {
		if _, err := adm.DescribeClientQuotas(ctx, false, bad.cs); !errors.Is(err, bad.want) {
			t.Errorf("%+v: %v, want %v", bad.cs, err, bad.want)
		}
	}
	if rs, err := adm.DescribeUserSCRAMs(ctx, "u"); err != nil || !errors.Is(rs["u"].Err, kerr.ResourceNotFound) {
		t.Errorf("%+v %v", rs, err)
	}
}
