package quota

import "github.com/tallymq/tallymq/engine/broker"

// index finds quotas by entity.
type index map[broker.QuotaEntity]*broker.Quota

func newIndex(t *broker.QuotaTable) index {
	x := make(index, len(t.List))
	for i := range t.List {
		x[t.List[i].Entity] = &t.List[i]
	}
	return x
}

func named(s string) broker.QuotaName { return broker.QuotaName{Kind: broker.QuotaNamed, Name: s} }

var other = broker.QuotaName{Kind: broker.QuotaDefault}

// match is the quota that counts for a client.
type match struct {
	rate   int64              // bytes a second
	shared broker.QuotaEntity // who is counted together: a user, a client id, or a client id of a user
	quota  broker.QuotaEntity // whose quota it is
}

// find gives the quota that counts, by Kafka's precedence (ClientQuotaManager.DefaultQuotaCallback). A quota without a rate for the
// key is none.
func (x index) find(k broker.QuotaKey, user, clientID string) (match, bool) {
	both := broker.QuotaEntity{User: named(user), ClientID: named(clientID)}
	ofUser, ofClient := broker.QuotaEntity{User: both.User}, broker.QuotaEntity{ClientID: both.ClientID}
	for _, m := range [...]match{
		{shared: both, quota: both},
		{shared: both, quota: broker.QuotaEntity{User: both.User, ClientID: other}},
		{shared: ofUser, quota: ofUser},
		{shared: both, quota: broker.QuotaEntity{User: other, ClientID: both.ClientID}},
		{shared: both, quota: broker.QuotaEntity{User: other, ClientID: other}},
		{shared: ofUser, quota: broker.QuotaEntity{User: other}},
		{shared: ofClient, quota: ofClient},
		{shared: ofClient, quota: broker.QuotaEntity{ClientID: other}},
	} {
		q, ok := x[m.quota]
		if !ok {
			continue
		}
		m.rate = q.ProducerBytes
		if k == broker.QuotaConsumerBytes {
			m.rate = q.ConsumerBytes
		}
		if m.rate > 0 {
			return m, true
		}
	}
	return match{}, false
}
