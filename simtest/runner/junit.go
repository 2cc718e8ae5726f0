package runner

import (
	"encoding/xml"
	"fmt"
	"os"
	"strings"
)

// The parts of JUnit's XML that build servers read.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Time     string      `xml:"time,attr"` // seconds
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",cdata"`
}

// WriteJUnit writes one test case for each world that ended.
func WriteJUnit(file string, worlds []*Outcome) error {
	s := junitSuite{Name: "tallymq sim", Tests: len(worlds)}
	total := 0.0
	for _, o := range worlds {
		c := junitCase{Class: o.Binary.Test, Name: fmt.Sprintf("seed %d", o.Seed), Time: fmt.Sprintf("%.3f", o.Took.Seconds())}
		total += o.Took.Seconds()
		if o.Failed() {
			s.Failures++
			text := make([]string, 0, len(o.Violations)+1)
			for _, v := range o.Violations {
				text = append(text, v.String())
			}
			c.Failure = &junitFailure{Message: o.Violations[0].Anomaly, Text: strings.Join(append(text, "again: "+o.Again()), "\n")}
		}
		s.Cases = append(s.Cases, c)
	}
	s.Time = fmt.Sprintf("%.3f", total)
	b, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("junit: %w", err)
	}
	if err := os.WriteFile(file, append([]byte(xml.Header), append(b, '\n')...), 0o644); err != nil {
		return fmt.Errorf("junit: %w", err)
	}
	return nil
}
