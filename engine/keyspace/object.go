package keyspace

// What AMQP declares lies under its names, so that all of a virtual host is one range per table.

// AppendExchangeKey : an exchange.
func AppendExchangeKey(dst []byte, host, name string) []byte {
	return AppendString(AppendString(append(dst, TableExchange), host), name)
}

// DecodeExchangeKey reads what AppendExchangeKey wrote.
func DecodeExchangeKey(key []byte) (host, name string, err error) {
	c := Open(TableExchange, key)
	host, name = c.String(), c.String()
	return host, name, c.End()
}

// AppendQueueNameKey : a queue by name.
func AppendQueueNameKey(dst []byte, host, name string) []byte {
	return AppendString(AppendString(append(dst, TableQueueName), host), name)
}

// DecodeQueueNameKey reads what AppendQueueNameKey wrote.
func DecodeQueueNameKey(key []byte) (host, name string, err error) {
	c := Open(TableQueueName, key)
	host, name = c.String(), c.String()
	return host, name, c.End()
}

// BindingKey is what tells bindings of a virtual host apart.
type BindingKey struct {
	Host, Source string
	Exchange     bool // Destination is an exchange
	Destination  string
	Key          string
	Arguments    string // encoded
}

// AppendBindingKey : a binding, those of one source together.
func AppendBindingKey(dst []byte, b BindingKey) []byte {
	dst = AppendString(AppendString(append(dst, TableBinding), b.Host), b.Source)
	kind := byte(0)
	if b.Exchange {
		kind = 1
	}
	dst = AppendString(append(dst, kind), b.Destination)
	return AppendString(AppendString(dst, b.Key), b.Arguments)
}

// DecodeBindingKey reads what AppendBindingKey wrote.
func DecodeBindingKey(key []byte) (BindingKey, error) {
	c := Open(TableBinding, key)
	b := BindingKey{Host: c.String(), Source: c.String()}
	kind := c.Byte()
	c.failed = c.failed || kind > 1
	b.Exchange, b.Destination, b.Key, b.Arguments = kind == 1, c.String(), c.String(), c.String()
	return b, c.End()
}

// QuotaKey is who a quota is for. A kind is 0: whoever, 1: who has no quota by name, 2: the name that follows.
type QuotaKey struct {
	UserKind   byte
	User       string
	ClientKind byte
	ClientID   string
}

// AppendQuotaKey : a quota.
func AppendQuotaKey(dst []byte, q QuotaKey) []byte {
	dst = AppendString(append(dst, TableQuota, q.UserKind), q.User)
	return AppendString(append(dst, q.ClientKind), q.ClientID)
}

// DecodeQuotaKey reads what AppendQuotaKey wrote.
func DecodeQuotaKey(key []byte) (QuotaKey, error) {
	c := Open(TableQuota, key)
	q := QuotaKey{UserKind: c.Byte(), User: c.String(), ClientKind: c.Byte(), ClientID: c.String()}
	c.failed = c.failed || q.UserKind > 2 || q.ClientKind > 2
	return q, c.End()
}
