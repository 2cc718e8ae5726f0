package trace

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseReadsWhatWasWritten(t *testing.T) {
	for _, e := range []Event{
		{Number: 0, At: 0, Kind: Net, Where: "n1>n2", What: "raft 2 messages 10 bytes ff", Steps: 1, Order: 0xabc},
		{Number: 12345678, At: 90*time.Minute + 3*time.Nanosecond, Kind: Client, Where: "a-name-longer-than-its-column", What: "p1-5: offset 3, <nil>  schedule or not", Steps: 1 << 40, Order: 1 << 63},
		{Number: 7, At: 1500 * time.Microsecond, Kind: World, Where: "end", What: "", Steps: 0, Order: 0},
	} {
		got, err := Parse(e.String())
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%v\n%+v\n%+v", err, e, got)
		}
	}
}

func TestReadAllLeavesOutAnUnfinishedLine(t *testing.T) {
	line := Event{Kind: Net, Where: "n1", What: "hello"}.String() + "\n"
	events, err := ReadAll(strings.NewReader(line + line + line[:20]))
	if err != nil || len(events) != 2 {
		t.Errorf("%d events, %v", len(events), err)
	}
	if _, err := ReadAll(strings.NewReader("nonsense\n" + line)); err == nil {
		t.Error("nonsense in the middle passes")
	}
}
