package batch

import "testing"

func TestSmoke(t *testing.T) {
	for c := CodecNone; c <= CodecZstd; c++ {
		b := NewBuilder()
		b.Codec = c
		b.Append(Record{Timestamp: 5, Key: []byte("a"), Value: []byte("b")})
		b.Append(Record{Timestamp: 7, Key: []byte("a"), Value: []byte("b"), Headers: []RecordHeader{{"x", nil}}})
		i, err := Validate(b.Bytes(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(i)
	}
}
