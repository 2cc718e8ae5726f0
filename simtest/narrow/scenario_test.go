package narrow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/ops/config"
	"github.com/tallymq/tallymq/simtest"
)

// Scenarios are worlds whose plan is written down: what went wrong elsewhere, told so
// that a reader sees why it must not here. LEADER is who leads the topic's first
// partition when the story begins, SECOND and THIRD are the others.

// scenario lets a written plan happen under a load, and then judges everything.
func scenario(t *testing.T, tune func(*config.Config), plan string, load func(x *narrow, stop <-chan struct{}) []<-chan error) {
	world(t, tune, func(x *narrow) {
		x.damaged = strings.Contains(plan, "rot ") || strings.Contains(plan, "wipe ")
		stop := make(chan struct{})
		running := load(x, stop)
		names := x.cast()
		plan, err := simtest.ParsePlan(strings.NewReplacer("LEADER", names[0], "SECOND", names[1], "THIRD", names[2]).Replace(plan))
		if err != nil {
			x.Fatal(err)
		}
		x.c.Apply(plan)
		time.Sleep(5 * time.Second)
		close(stop)
		x.settled(running...)
		x.readAll(topic)
		x.replicas()
		if x.acks == 0 {
			x.Error("nothing was acknowledged: the scenario shows nothing")
		}
	})
}

// cast names the nodes by their parts.
func (x *narrow) cast() []string {
	var leader int32
	x.as("admin", func(cl *kgo.Client) error {
		return insist(func(ctx context.Context) error {
			m, err := kadm.NewClient(cl).Metadata(ctx, topic)
			if err != nil {
				return err
			}
			if leader = m.Topics[topic].Partitions[0].Leader; leader <= 0 {
				return errors.New("no leader")
			}
			return nil
		})
	})
	names := []string{fmt.Sprint("n", leader)}
	for _, n := range x.c.Names {
		if n != names[0] {
			names = append(names, n)
		}
	}
	return names
}

// records is a load of plain producers.
func records(x *narrow, stop <-chan struct{}) []<-chan error {
	return []<-chan error{x.produce("a", topic, 1000, 20*time.Millisecond, stop), x.produce("b", topic, 100, 7*time.Millisecond, stop)}
}

// TestScenarioDedupWindowOverALeaderChange: what an idempotent producer appended is known
// to the next leader also when that read it from its rows, after a restart. (Brokers that
// rebuilt the window from the log's tail, or not at all, appended a retry twice.)
func TestScenarioDedupWindowOverALeaderChange(t *testing.T) {
	scenario(t, small, `
2s power SECOND for 100ms amount 1
3s power THIRD for 100ms amount 1
4s power LEADER for 2s amount 1
7s power SECOND for 2s amount 1
10s power THIRD for 2s amount 1
13s quiet`, func(x *narrow, stop <-chan struct{}) []<-chan error {
		return []<-chan error{x.retry(0, stop), x.retry(0, stop), x.retry(1, stop)}
	})
}

// TestScenarioConfirmLostAndRetried: the connection breaks while answers are on their
// way, again and again. What was appended is not appended again.
func TestScenarioConfirmLostAndRetried(t *testing.T) {
	var plan strings.Builder
	for i := range 40 {
		fmt.Fprintf(&plan, "%v reset LEADER>a2 for 0s amount 1\n", 500*time.Millisecond+time.Duration(i)*173*time.Millisecond)
	}
	plan.WriteString("8s quiet")
	scenario(t, nil, plan.String(), records)
}

// TestScenarioBitFlipsInAMinoritysLog: one node's journal rots in many places and the
// node restarts. It must neither serve the bytes, nor cut its log at the first bad batch,
// which would unsay what it acknowledged for a majority.
func TestScenarioBitFlipsInAMinoritysLog(t *testing.T) {
	scenario(t, forgetful, `
2s isolate SECOND for 3s amount 1
4500ms rot THIRD>journal for 0s amount 1
4510ms rot THIRD>journal for 0s amount 1
4520ms rot THIRD>journal for 0s amount 1
4530ms rot THIRD>journal for 0s amount 1
4600ms power THIRD for 100ms amount 1
4900ms isolate LEADER for 4s amount 1
9s quiet`, records)
}

// TestScenarioAmnesiacAndTwoAbsences: a node forgets everything while the only other one
// that has the latest records cannot be reached. It must not be a witness that there are
// none, whoever asks.
func TestScenarioAmnesiacAndTwoAbsences(t *testing.T) {
	scenario(t, nil, `
1s isolate SECOND for 3s amount 1
3800ms wipe THIRD for 100ms amount 1
3850ms isolate LEADER for 5s amount 1
9s quiet`, records)
}

// TestScenarioCoordinatedPowerLoss: the whole room goes dark, thrice.
func TestScenarioCoordinatedPowerLoss(t *testing.T) {
	scenario(t, small, `
2s power LEADER for 300ms amount 1
2s power SECOND for 300ms amount 1
2s power THIRD for 300ms amount 1
5s power LEADER for 300ms amount 1
5s power SECOND for 300ms amount 1
5s power THIRD for 300ms amount 1
8s power LEADER for 300ms amount 1
8s power SECOND for 300ms amount 1
8s power THIRD for 300ms amount 1
11s quiet`, records)
}

// TestScenarioMemberBackWithAnEmptyDisk: it comes back as somebody new, and whole.
func TestScenarioMemberBackWithAnEmptyDisk(t *testing.T) {
	scenario(t, nil, `
2s wipe THIRD for 500ms amount 1
10s quiet`, records)
}

// TestScenarioSnapshotAfterAMembershipChange: a replica is replaced, everybody takes
// snapshots all the time, and all restart from them: nobody believes in the old members.
func TestScenarioSnapshotAfterAMembershipChange(t *testing.T) {
	scenario(t, small, `
2s wipe THIRD for 500ms amount 1
8s power LEADER for 200ms amount 1
8s power SECOND for 200ms amount 1
8s power THIRD for 200ms amount 1
11s wipe SECOND for 500ms amount 1
17s power LEADER for 200ms amount 1
17s power SECOND for 200ms amount 1
17s power THIRD for 200ms amount 1
20s quiet`, records)
}

// TestScenarioGrayDisk: a disk that is slow, not dead, holds up nothing but itself.
func TestScenarioGrayDisk(t *testing.T) {
	scenario(t, nil, `
2s slowdisk LEADER for 5s amount 0.5
9s slowdisk THIRD for 5s amount 0.5
16s quiet`, records)
}
