package broker

import (
	"context"
	"strconv"
)

// Quotas bound what clients move. Each node counts for itself, so that a client of several nodes may move several times its rate, as
// with Kafka's quotas.
type Quotas interface {
	// Quotas are those in force as this node knows them. The same table is given until one changes.
	Quotas() *QuotaTable
	// ListQuotas are those in force, after a linearizable look, by entity.
	ListQuotas(ctx context.Context) ([]Quota, error)
	// AlterQuota makes all of the changes, or none, and answers when every live node goes by them.
	AlterQuota(ctx context.Context, c Client, a QuotaAlteration) error
}

// QuotaTable are quotas. It is never changed after it was given.
type QuotaTable struct{ List []Quota }

// Quota is what an entity may move, bytes a second; 0: as much as it likes.
type Quota struct {
	Entity        QuotaEntity
	ProducerBytes int64
	ConsumerBytes int64
}

// QuotaEntity is who a quota is for. At least one of its names is not QuotaAny.
type QuotaEntity struct{ User, ClientID QuotaName }

// QuotaName is a user or a client id.
type QuotaName struct {
	Kind QuotaNameKind
	Name string // with QuotaNamed
}

// QuotaNameKind says how a name is to be read.
type QuotaNameKind uint8

// The kinds of names; they are stored as they are here.
const (
	QuotaAny     QuotaNameKind = 0 // whoever it is
	QuotaDefault QuotaNameKind = 1 // who has no quota of the name
	QuotaNamed   QuotaNameKind = 2
)

// QuotaKey is what is bounded.
type QuotaKey uint8

// The keys; they are stored as they are here.
const (
	QuotaProducerBytes QuotaKey = 1
	QuotaConsumerBytes QuotaKey = 2
)

// QuotaChange sets a rate, bytes a second, or with 0 ends it.
type QuotaChange struct {
	Key  QuotaKey
	Rate int64
}

// QuotaAlteration asks for changes of one entity's quota.
type QuotaAlteration struct {
	Entity       QuotaEntity
	Changes      []QuotaChange
	ValidateOnly bool
}

// String is user=… client-id=…, names quoted.
func (e QuotaEntity) String() string {
	switch {
	case e.ClientID.Kind == QuotaAny:
		return "user=" + e.User.String()
	case e.User.Kind == QuotaAny:
		return "client-id=" + e.ClientID.String()
	}
	return "user=" + e.User.String() + " client-id=" + e.ClientID.String()
}

// String is the quoted name, or <default> or <any>.
func (n QuotaName) String() string {
	switch n.Kind {
	case QuotaAny:
		return "<any>"
	case QuotaDefault:
		return "<default>"
	}
	return strconv.Quote(n.Name)
}
