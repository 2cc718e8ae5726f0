package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeClientQuotas (key 48): the quotas of users and client ids (KIP-546).
//
// Behaviour
//   - A component of the filter names an entity type and wants a name, the default, or any of them. strict: an entity that has a type
//     which the filter does not name is left out.
//   - An empty or repeated entity type, a match that does not go with its type: INVALID_REQUEST. A type other than user, client-id and ip:
//     UNSUPPORTED_VERSION, as in Kafka. There are no quotas of ip here, so a filter for them finds nothing; it may not name user or client-id, too.
//   - Any node answers, after a linearizable look at the catalog.
//
// Versions
//   - 1 flexible.
func describeQuotasLayout() *layout { return parseLayout("[ s b n ] b") }

// What quotas are of and what they bound, as Kafka calls them.
const (
	quotaUser     = "user"
	quotaClientID = "client-id"
	quotaIP       = "ip"

	quotaProducerRate = "producer_byte_rate"
	quotaConsumerRate = "consumer_byte_rate"
)

// quotaFilter says which names it takes, by entity type.
type quotaFilter map[string]func(broker.QuotaName) bool

func describeQuotas(r *request, q *kmsg.DescribeClientQuotasRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeClientQuotasResponse)
	filter, err := readQuotaFilter(q.Components)
	var quotas []broker.Quota
	if err == nil {
		quotas, err = r.server.broker.ListQuotas(r.ctx)
	}
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = topicErrors.code(err), text(err)
		return resp
	}
	resp.Entries = []kmsg.DescribeClientQuotasResponseEntry{}
	for i := range quotas {
		if !filter.takes(&quotas[i].Entity, q.Strict) {
			continue
		}
		e := kmsg.NewDescribeClientQuotasResponseEntry()
		for _, part := range quotaParts(&quotas[i].Entity) {
			to := kmsg.NewDescribeClientQuotasResponseEntryEntity()
			to.Type, to.Name = part.kind, nullable(part.name.Name)
			e.Entity = append(e.Entity, to)
		}
		for _, v := range []kmsg.DescribeClientQuotasResponseEntryValue{
			{Key: quotaProducerRate, Value: float64(quotas[i].ProducerBytes)}, {Key: quotaConsumerRate, Value: float64(quotas[i].ConsumerBytes)},
		} {
			if v.Value > 0 {
				e.Values = append(e.Values, v)
			}
		}
		resp.Entries = append(resp.Entries, e)
	}
	return resp
}

// quotaPart is one name of an entity.
type quotaPart struct {
	kind string
	name broker.QuotaName
}

// quotaParts are the names that an entity has.
func quotaParts(e *broker.QuotaEntity) (out []quotaPart) {
	for _, p := range []quotaPart{{quotaUser, e.User}, {quotaClientID, e.ClientID}} {
		if p.name.Kind != broker.QuotaAny {
			out = append(out, p)
		}
	}
	return out
}

func refuseQuota(code broker.Code, format string, args ...any) error {
	return broker.Errorf(code, "quota", "", format, args...)
}

func readQuotaFilter(cs []kmsg.DescribeClientQuotasRequestComponent) (quotaFilter, error) {
	f := quotaFilter{}
	for _, c := range cs {
		_, twice := f[c.EntityType]
		switch {
		case c.EntityType == "":
			return nil, refuseQuota(broker.CodeInvalidRequest, "an empty entity type")
		case twice:
			return nil, refuseQuota(broker.CodeInvalidRequest, "the entity type %s is in the filter more than once", c.EntityType)
		case c.EntityType != quotaUser && c.EntityType != quotaClientID && c.EntityType != quotaIP:
			return nil, refuseQuota(broker.CodeUnsupported, "the entity type %s is not known", c.EntityType)
		case c.MatchType == kmsg.QuotasMatchTypeExact && c.Match == nil:
			return nil, refuseQuota(broker.CodeInvalidRequest, "a name of %s is wanted, and none given", c.EntityType)
		case c.MatchType != kmsg.QuotasMatchTypeExact && c.Match != nil:
			return nil, refuseQuota(broker.CodeInvalidRequest, "the default or any name of %s is wanted, and a name given", c.EntityType)
		}
		switch c.MatchType {
		case kmsg.QuotasMatchTypeExact:
			f[c.EntityType] = func(n broker.QuotaName) bool { return n.Kind == broker.QuotaNamed && n.Name == *c.Match }
		case kmsg.QuotasMatchTypeDefault:
			f[c.EntityType] = func(n broker.QuotaName) bool { return n.Kind == broker.QuotaDefault }
		case kmsg.QuotasMatchTypeAny:
			f[c.EntityType] = func(n broker.QuotaName) bool { return n.Kind != broker.QuotaAny }
		default:
			return nil, refuseQuota(broker.CodeInvalidRequest, "match type %d is not known", c.MatchType)
		}
	}
	if f[quotaIP] != nil && len(f) > 1 {
		return nil, refuseQuota(broker.CodeInvalidRequest, "ip does not go with user or client-id")
	}
	return f, nil
}

// takes says whether an entity has all that the filter names and, strictly, no more.
func (f quotaFilter) takes(e *broker.QuotaEntity, strict bool) bool {
	parts := quotaParts(e)
	found := 0
	for _, p := range parts {
		if takes := f[p.kind]; takes != nil {
			if !takes(p.name) {
				return false
			}
			found++
		}
	}
	return found == len(f) && (!strict || found == len(parts))
}
