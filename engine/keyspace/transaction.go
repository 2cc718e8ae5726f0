package keyspace

// AppendTransactionKey : a transactional id.
func AppendTransactionKey(dst []byte, name string) []byte {
	return AppendString(append(dst, TableTransaction), name)
}

// DecodeTransactionKey reads what AppendTransactionKey wrote.
func DecodeTransactionKey(key []byte) (string, error) {
	c := Open(TableTransaction, key)
	n := c.String()
	return n, c.End()
}
