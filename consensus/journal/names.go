package journal

// Name names payload bytes of one entry. Position is counted in the command, which is what a state machine's Update
// gets in Cmd: the log's Cmd without its first byte. CRC is the CRC32C (Castagnoli) of the named bytes.
type Name struct {
	Index    uint64
	Position uint32
	Length   uint32
	CRC      uint32
}

// Payload is a name with its bytes.
type Payload struct {
	Name
	Bytes []byte
}
