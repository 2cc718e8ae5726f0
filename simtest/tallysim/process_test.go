package tallysim

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/tallymq/tallymq/simtest"
)

// TestProcessesLiveAsPromised: nil ends one, an error and a kill start it again, Stop
// cancels its context and waits.
func TestProcessesLiveAsPromised(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	Options{Seeds: 2, Nodes: 1}.Run(t, func(c *Cluster) {
		c.Go("job", func(p *Process) error {
			if p.Start() < 3 {
				return errors.New("not yet")
			}
			return nil
		})
		tidied := 0
		c.Go("server", func(p *Process) error {
			<-p.Context().Done()
			time.Sleep(5 * time.Second)
			tidied++
			return p.Context().Err()
		})
		c.Go("deaf", func(*Process) error { select {} })
		time.Sleep(10 * time.Second)
		c.Kill("server")
		time.Sleep(10 * time.Second)
		if c.Starts("job") != 3 || c.Starts("server") != 2 || tidied != 0 {
			t.Errorf("job %d starts, server %d, %d ends in order", c.Starts("job"), c.Starts("server"), tidied)
		}
		begin := time.Now()
		c.Stop("server")
		if took := time.Since(begin); tidied != 1 || took < 5*time.Second || took >= stopMax {
			t.Errorf("stopped in %v, %d ends in order", took, tidied)
		}
		begin = time.Now()
		c.Stop("deaf")
		if took := time.Since(begin); took != stopMax {
			t.Errorf("one that does not listen stopped in %v", took)
		}
		time.Sleep(10 * time.Second)
		if c.Starts("job") != 3 || c.Starts("server") != 2 || c.Starts("deaf") != 1 {
			t.Error("what had ended was started again")
		}
	})
}

// TestProcessesTalkToEachOther over the simulated network.
func TestProcessesTalkToEachOther(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	Options{Seeds: 2, Nodes: 1}.Run(t, func(c *Cluster) {
		c.Go("server", func(p *Process) error {
			l, err := p.Listen("tcp", "server:80")
			if err != nil {
				return err
			}
			for {
				conn, err := l.Accept()
				if err != nil {
					return err
				}
				go func() { _, _ = io.Copy(conn, conn); conn.Close() }()
			}
		})
		heard := ""
		c.Go("client", func(p *Process) error {
			conn, err := p.Dial(p.Context(), "tcp", "server:80")
			if err != nil {
				return err
			}
			if _, err := conn.Write([]byte("hello")); err != nil {
				return err
			}
			b := make([]byte, 5)
			_, err = io.ReadFull(conn, b)
			heard = string(b)
			return err
		})
		c.Eventually("the answer comes", 10*time.Second, func() error {
			if heard != "hello" {
				return errors.New("not yet")
			}
			return nil
		})
	})
}

// TestAPanicOfAProgramFails: it is a crash that the program made itself.
func TestAPanicOfAProgramFails(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	_, report := Options{Seeds: 1, Nodes: 1}.Find(t, "panic", func(c *Cluster) {
		c.Go("program", func(*Process) error { panic("a mistake of its own") })
		time.Sleep(time.Second)
	})
	wants(t, report, "panic in program: process program panicked: a mistake of its own", "program, started")
}
