package kafka

import (
	"fmt"
	"math"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterClientQuotas (key 49): sets and removes quotas of users and client ids (KIP-546).
//
// Behaviour
//   - Each entity has its own result: all of its changes or none. It is answered when every live node goes by them; a quota is counted
//     by each node for itself, as in Kafka.
//   - producer_byte_rate and consumer_byte_rate are enforced: whole bytes a second, above 0. Any other key, among them request_percentage and
//     controller_mutation_rate, would be without effect: INVALID_REQUEST.
//   - An entity is a user, a client id or both; a null name is the default. Of ip there are no quotas: INVALID_REQUEST. So is an entity that is
//     named twice, a type twice in one, a key twice, an empty or too long name, an unknown type.
//   - More than 10,000 entities with a quota: POLICY_VIOLATION.
//
// Versions
//   - 1 flexible.
func alterQuotasLayout() *layout { return parseLayout("[ [ s n ] [ s l b ] ] b") }

func alterQuotas(r *request, q *kmsg.AlterClientQuotasRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.AlterClientQuotasResponse)
	resp.Entries = make([]kmsg.AlterClientQuotasResponseEntry, len(q.Entries))
	as, errs := make([]broker.QuotaAlteration, len(q.Entries)), make([]error, len(q.Entries))
	named := map[broker.QuotaEntity]int{}
	for i := range q.Entries {
		as[i], errs[i] = readQuotaAlteration(&q.Entries[i])
		as[i].ValidateOnly = q.ValidateOnly
		named[as[i].Entity]++
	}
	fanOut(len(q.Entries), func(i int) {
		err := errs[i]
		switch {
		case err != nil:
		case named[as[i].Entity] > 1:
			err = refuseQuota(broker.CodeInvalidRequest, "%v is named twice in one request", as[i].Entity)
		default:
			err = r.server.broker.AlterQuota(r.ctx, r.client, as[i])
		}
		out := &resp.Entries[i]
		out.Default()
		out.ErrorCode, out.ErrorMessage = topicErrors.code(err), text(err)
		for _, part := range q.Entries[i].Entity {
			to := kmsg.NewAlterClientQuotasResponseEntryEntity()
			to.Type, to.Name = part.Type, part.Name
			out.Entity = append(out.Entity, to)
		}
	})
	return resp
}

func readQuotaAlteration(in *kmsg.AlterClientQuotasRequestEntry) (broker.QuotaAlteration, error) {
	a := broker.QuotaAlteration{}
	for _, part := range in.Entity {
		var to *broker.QuotaName
		switch part.Type {
		case quotaUser:
			to = &a.Entity.User
		case quotaClientID:
			to = &a.Entity.ClientID
		default:
			return a, refuseQuota(broker.CodeInvalidRequest, "there are no quotas of the entity type %q", part.Type)
		}
		switch {
		case to.Kind != broker.QuotaAny:
			return a, refuseQuota(broker.CodeInvalidRequest, "the entity type %s is named twice", part.Type)
		case part.Name == nil:
			to.Kind = broker.QuotaDefault
		default:
			*to = broker.QuotaName{Kind: broker.QuotaNamed, Name: *part.Name}
		}
	}
	for _, op := range in.Ops {
		c := broker.QuotaChange{}
		var err error
		if c.Key, err = quotaKey(op.Key); err != nil {
			return a, err
		}
		if !op.Remove {
			if c.Rate, err = quotaRate(op.Key, op.Value); err != nil {
				return a, err
			}
		}
		a.Changes = append(a.Changes, c)
	}
	return a, nil
}

func quotaKey(key string) (broker.QuotaKey, error) {
	switch key {
	case quotaProducerRate:
		return broker.QuotaProducerBytes, nil
	case quotaConsumerRate:
		return broker.QuotaConsumerBytes, nil
	}
	return 0, refuseQuota(broker.CodeInvalidRequest, "the quota %q is not enforced here: %s and %s are", key, quotaProducerRate, quotaConsumerRate)
}

// quotaRate reads what Kafka calls a Long value in a double.
func quotaRate(key string, v float64) (int64, error) {
	whole := math.Round(v)
	if !(whole >= 1 && whole < math.MaxInt64 && math.Abs(whole-v) < 1e-6) { // also not NaN
		return 0, refuseQuota(broker.CodeInvalidRequest, "%s must be whole bytes a second above 0, not %s", key, fmt.Sprint(v))
	}
	return int64(whole), nil
}
