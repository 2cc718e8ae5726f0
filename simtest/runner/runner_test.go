package runner

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fake is a world whose process is a shell script: $seed, $plan (the text) and $n (how
// often it ran) are set; say HASH [ANOMALY] writes its result.
func fake(t *testing.T, script string) *Binary {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "world.test")
	text := `#!/bin/sh
seed=$TALLYMQ_SIM_SEED
plan=$(cat "$TALLYMQ_SIM_PLAN" 2>/dev/null)
echo x >>` + dir + `/runs.$seed; n=$(wc -l <` + dir + `/runs.$seed)
[ -n "$TALLYMQ_SIM_TRACE" ] && cat >"$TALLYMQ_SIM_TRACE" <<'EOF'
0 1ms net n1>n2 a frame  schedule 1:00000000000000aa
1 2ms fault plan 2ms kill n2 for 1s amount 0.5  schedule 2:00000000000000ab
2 3ms client p1 p1-0: offset 0  schedule 3:00000000000000ac
EOF
say() {
	v=null; [ -n "$2" ] && v='[{"anomaly":"'$2'","where":"payments/0","text":"p1-0 was acknowledged and is not there","at_ns":3000000}]'
	echo '{"seed":'$seed',"hash":"'$1'","events":3,"simulated_ns":60000000000,"real_ns":1000000000,"violations":'$v',
	"faults":{"kill":2},"operations":{"sends":10},"points":{"seeds":1,"points":{"a/b":{"hits":1,"seeds":1,"first_seed":'$seed'}}},"plan":"0s quiet"}' >"$TALLYMQ_SIM_RESULT"
	[ -n "$2" ] && exit 1
	exit 0
}
` + script
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return &Binary{World: World{"fake", "./fake", "TestFake"}, Path: path, Dir: dir}
}

func TestCampaign(t *testing.T) {
	b := fake(t, `case $seed in
3) say aa lost-write ;;
4) echo 'panic: at the disco'; exit 2 ;;
5) exit 0 ;;
6) say hash$n ;;
7) sleep 60 ;;
esac
say aa`)
	keep := t.TempDir()
	var seen []*Outcome
	c := &Campaign{Binaries: []*Binary{b}, First: 1, Last: 9, Jobs: 2, TwiceEvery: 1, Keep: keep, Bounds: Bounds{Time: 2 * time.Second},
		Seen: func(o *Outcome) { seen = append(seen, o) }}
	totals, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if totals.Worlds != 9 || totals.Failed != 5 || len(seen) != 9 {
		t.Errorf("%d worlds, %d failed, %d seen; want 9, 5, 9", totals.Worlds, totals.Failed, len(seen))
	}
	want := map[uint64]string{3: "lost-write", 4: Died, 5: NoWorld, 6: Unequal, 7: TimedOut}
	for _, o := range seen {
		kind := ""
		if o.Failed() {
			kind = o.Violations[0].Anomaly
		}
		if kind != want[o.Seed] {
			t.Errorf("seed %d: %q, want %q", o.Seed, kind, want[o.Seed])
		}
		if o.Seed == 3 {
			judgeReport(t, o)
		}
	}
	for _, part := range []string{"worlds      9 of 9", "sends 60", "kill 12", "points      1 of 1"} {
		if !strings.Contains(totals.String(), part) {
			t.Errorf("the account has no %q:\n%v", part, totals)
		}
	}
	judgeJUnit(t, seen)
}

func judgeReport(t *testing.T, o *Outcome) {
	t.Helper()
	text, err := o.Report()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"seed 3", "lost-write in payments/0: p1-0 was acknowledged", "tallymq sim run --package ./fake --test TestFake --seed 3",
		"kill n2 for 1s", "1 frames", "p1-0: offset 0"} {
		if !strings.Contains(text, part) {
			t.Errorf("the report has no %q:\n%s", part, text)
		}
	}
}

func judgeJUnit(t *testing.T, seen []*Outcome) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "junit.xml")
	if err := WriteJUnit(file, seen); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s junitSuite
	if err := xml.Unmarshal(b, &s); err != nil || s.Tests != 9 || s.Failures != 5 || len(s.Cases) != 9 {
		t.Errorf("%v, %d tests, %d failures, %d cases", err, s.Tests, s.Failures, len(s.Cases))
	}
}

// A campaign that is interrupted reports what it saw and says that it was.
func TestCampaignInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := &Campaign{Binaries: []*Binary{fake(t, `[ $seed -gt 3 ] && sleep 60; say aa`)}, First: 1, Last: 1000,
		Seen: func(o *Outcome) {
			if o.Seed == 3 {
				cancel()
			}
		}}
	totals, err := c.Run(ctx)
	if !errors.Is(err, context.Canceled) || totals.Worlds != 3 {
		t.Errorf("%v after %d worlds", err, totals.Worlds)
	}
}

// The fault that matters stays, at the length that matters; everything else goes.
func TestShrink(t *testing.T) {
	b := fake(t, `l=$(echo "$plan" | sed -n 's/.* kill n2 for \([0-9]*\)ms .*/\1/p')
[ -n "$l" ] && [ "$l" -ge 300 ] && say aa lost-write
say aa`)
	var plan strings.Builder
	fmt.Fprint(&plan, "set world TestFake\nset seed 3\nset shards 5\nset big true\n")
	for i := range 20 {
		fmt.Fprintf(&plan, "%ds pause n%d for 700ms amount 0.1\n", i, i%3+1)
	}
	fmt.Fprint(&plan, "21s kill n2 for 900ms amount 0.5\n22s cut n1>n2 for 1s amount 0.5\n30s quiet\n")
	s := &Shrinker{Binary: b, Seed: 3, Anomaly: "lost-write"}
	got, err := s.Shrink(t.Context(), plan.String())
	if err != nil {
		t.Fatal(err)
	}
	want := "set world TestFake\nset seed 3\n21s kill n2 for 450ms amount 0.5\n30ms quiet\n"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if _, err := (&Shrinker{Binary: b, Seed: 3, Anomaly: "other"}).Shrink(t.Context(), plan.String()); err == nil {
		t.Error("a plan without the anomaly was shrunk")
	}
}
