package result

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/tallymq/tallymq/simtest/point"
)

// A Violation is one thing that must not be.
type Violation struct {
	Anomaly string `json:"anomaly"` // its kind: two runs with one kind have the same fault
	Where   string `json:"where"`   // partition, group, shard or process; may be empty
	Text    string `json:"text"`    // a sentence with the records and clients concerned; more lines may follow
	AtNS    int64  `json:"at_ns"`   // simulated, since the world began
}

// String is one line.
func (v Violation) String() string {
	if v.Where == "" {
		return v.Anomaly + ": " + v.Text
	}
	return v.Anomaly + " in " + v.Where + ": " + v.Text
}

// A Result is what one world of one process came to.
type Result struct {
	World       string          `json:"world"` // the test's name
	Seed        uint64          `json:"seed"`
	Hash        string          `json:"hash"` // of the trace, 16 hexadecimal digits
	Events      uint64          `json:"events"`
	SimulatedNS int64           `json:"simulated_ns"`
	RealNS      int64           `json:"real_ns"`
	Failed      bool            `json:"failed"` // the test had failed when the world ended, for whatever reason
	Violations  []Violation     `json:"violations"`
	Faults      map[string]int  `json:"faults"`     // by verb; "disk ..." and "net ..." count single operations that were hit
	Operations  map[string]int  `json:"operations"` // what clients did, by name: sends, acknowledged, reads, commits
	Points      *point.Coverage `json:"points"`
	Plan        string          `json:"plan"` // the text that simtest.ParsePlan reads, settings included
}

// Simulated is how long the world lasted.
func (r *Result) Simulated() time.Duration { return time.Duration(r.SimulatedNS) }

// Real is how long its process computed it.
func (r *Result) Real() time.Duration { return time.Duration(r.RealNS) }

// Write writes the result to a file, whole or not at all.
func (r *Result) Write(file string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if err := os.WriteFile(file+".new", append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	return nil
}

// Read reads what Write wrote.
func Read(file string) (*Result, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	r := &Result{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("result %s: %w", file, err)
	}
	return r, nil
}
