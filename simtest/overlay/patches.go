package overlay

// Toolchain is the one version whose sources the patches were written for and
// whose runs were compared. Another one may compile and still leak real time, so
// it is refused until its own runs have been compared.
const Toolchain = "go1.26.8"

// A Patch replaces a text in one file of the standard library.
type Patch struct {
	File  string // below goroot/src
	Find  string
	Put   string
	Count int    // how often Find occurs; each occurrence is replaced
	Why   string // shown when the patch does not fit
}

// Patches returns the patches in the order in which they are applied.
func Patches() []Patch { return append([]Patch(nil), patches...) }

var patches = []Patch{
	{
		File: "runtime/rand.go", Count: 1,
		Find: "\tglobalRand.state.Init(*seed)\n",
		Put:  "\tclear(seed[:])\n\tseed[0] = 42\n\tglobalRand.state.Init(*seed)\n\tsimChacha.Init64([4]uint64{42, 1, 2, 3})\n",
		Why:  "the process seed comes from the kernel; it decides hash seeds of maps that are made before a world begins",
	},
	{
		File: "runtime/rand.go", Count: 1,
		Find: "\tc := &mp.chacha8\n",
		Put:  "\tc := &mp.chacha8\n\tif simOn && mp.curg != nil && mp.curg.bubble != nil {\n\t\tc = &simChacha\n\t\tsimDraws++\n\t}\n",
		Why:  "each thread has a stream of its own and threads are made when real time says so; a world has one stream",
	},
	{
		File: "runtime/select.go", Count: 1,
		Find: "cheaprandn(uint32(norder + 1))",
		Put:  "simRandn(uint32(norder + 1))",
		Why:  "the order in which select polls its cases",
	},
	{
		File: "runtime/sema.go", Count: 1,
		Find: "cheaprand() | 1",
		Put:  "simRand32() | 1",
		Why:  "the treap ticket decides which waiter of a semaphore is found",
	},
	{
		File: "runtime/time.go", Count: 1,
		Find: "t.rand = cheaprand()",
		Put:  "t.rand = simRand32()",
		Why:  "timers of the same instant of a bubble fire in an order drawn here",
	},
	{
		File: "runtime/time.go", Count: 1,
		Find: "\tif bubble := getg().bubble; bubble != nil {\n\t\tt.isFake = true\n\t}\n\tt.modify(when, period, f, arg, 0)\n",
		Put:  "\tif bubble := getg().bubble; bubble != nil {\n\t\tt.isFake = true\n\t}\n\tt.simNode = getg().simNode\n\tt.modify(when, period, f, arg, 0)\n",
		Why:  "a function started by time.AfterFunc belongs to the node that asked for it",
	},
	{
		File: "runtime/time.go", Count: 1,
		Find: "\tisFake bool         // timer is using fake time; immutable; can be read without lock\n",
		Put:  "\tisFake bool         // timer is using fake time; immutable; can be read without lock\n\tsimNode uint32\n",
		Why:  "room for the number above",
	},
	{
		File: "runtime/time.go", Count: 1,
		Find: "\t\tgp.bubble = bubble\n\t\tbubble.changegstatus(gp, _Gdead, _Grunning)\n",
		Put:  "\t\tgp.bubble = bubble\n\t\tgp.simNode = simNodeOf\n\t\tbubble.changegstatus(gp, _Gdead, _Grunning)\n",
		Why:  "the goroutine that runs a timer takes the timer's node for as long as it runs it",
	},
	{
		File: "runtime/time.go", Count: 1,
		Find: "\tseq := t.seq\n\tvar next int64\n",
		Put:  "\tseq := t.seq\n\tsimNodeOf := t.simNode\n\tvar next int64\n",
		Why:  "the same, read while the timer is still locked",
	},
	{
		File: "runtime/time.go", Count: 1,
		Find: "\t\tbubble.changegstatus(gp, _Grunning, _Gdead)\n",
		Put:  "\t\tbubble.changegstatus(gp, _Grunning, _Gdead)\n\t\tgp.simNode = 0\n",
		Why:  "and gives it back",
	},
	{
		File: "runtime/time.go", Count: 1,
		Find: "\tif bubble := getg().bubble; bubble != nil {\n\t\tsec = bubble.now / (1000 * 1000 * 1000)\n\t\tnsec = int32(bubble.now % (1000 * 1000 * 1000))\n",
		Put: "\tif bubble := getg().bubble; bubble != nil {\n\t\tif simOn {\n\t\t\twall := bubble.now + simSkew[getg().simNode]\n" +
			"\t\t\treturn wall / 1e9, int32(wall % 1e9), bubble.now\n\t\t}\n" +
			"\t\tsec = bubble.now / (1000 * 1000 * 1000)\n\t\tnsec = int32(bubble.now % (1000 * 1000 * 1000))\n",
		Why: "each node reads a wall clock of its own, which may be wrong and may jump, and a monotonic clock, which may not",
	},
	{
		File: "time/time.go", Count: 1,
		Find: "var startNano int64 = runtimeNano() - 1\n",
		Put:  "var startNano int64 = 1\n",
		Why:  "the monotonic part of a time counts from the start of the process, in real time: it would be printed",
	},
	{
		File: "runtime/proc.go", Count: 1,
		Find: "\tif randomizeScheduler && next && randn(2) == 0 {",
		Put: "\tif simOn {\n\t\tnext = next && gp.bubble != nil && simNext()>>63 == 0\n" +
			"\t} else if randomizeScheduler && next && randn(2) == 0 {",
		Why: "the race detector's dice on where a woken goroutine is queued: with them seeds explore schedules. A goroutine " +
			"outside the world never jumps the queue: when it is woken depends on real time",
	},
	{
		File: "runtime/proc.go", Count: 1,
		Find: "\tt := pp.runqtail\n\tif t-h < uint32(len(pp.runq)) {\n\t\tpp.runq[t%uint32(len(pp.runq))].set(gp)\n",
		Put: "\tt := pp.runqtail\n\tif simOn && gp.bubble != nil && (!simOver.empty() || t-h >= simRoom) {\n\t\tsimOver.pushBack(gp)\n\t\treturn\n\t}\n" +
			"\tif t-h < uint32(len(pp.runq)) {\n\t\tpp.runq[t%uint32(len(pp.runq))].set(gp)\n",
		Why: "a run queue that overflows moves half of itself elsewhere, and when it does depends on goroutines outside the " +
			"world too; the world's own overflow keeps first in, first out, whatever the others do",
	},
	{
		File: "runtime/proc.go", Count: 1,
		Find: "\t// local runq\n\tif gp, inheritTime := runqget(pp); gp != nil {\n\t\treturn gp, inheritTime, false\n\t}\n",
		Put: "\t// local runq\n\tif gp, inheritTime := runqget(pp); gp != nil {\n\t\treturn gp, inheritTime, false\n\t}\n" +
			"\tif simOn && !simOver.empty() {\n\t\treturn simOver.pop(), false, false\n\t}\n",
		Why: "and this is where it comes out",
	},
	{
		File: "runtime/proc.go", Count: 1,
		Find: "\t\tprocs = defaultGOMAXPROCS(numCPUStartup)\n",
		Put:  "\t\tprocs = 1\n\t\tsched.customGOMAXPROCS = true\n",
		Why: "what runs before a world begins leaves traces in generators and pools of libraries; two processors were seen " +
			"to give two worlds of one seed. GOMAXPROCS in the environment still counts",
	},
	{
		File: "runtime/proc.go", Count: 1,
		Find: "func retake(now int64) uint32 {\n",
		Put:  "func retake(now int64) uint32 {\n\tif simOn {\n\t\treturn 0\n\t}\n",
		Why:  "the monitor thread takes the processor away after real milliseconds: from a long slice, from a system call",
	},
	{
		File: "runtime/proc.go", Count: 1,
		Find: "if pp.schedtick%61 == 0 && !sched.runq.empty() {",
		Put:  "if !simOn && pp.schedtick%61 == 0 && !sched.runq.empty() {",
		Why:  "every 61st turn is counted over all goroutines, also those outside the world",
	},
	{
		File: "runtime/proc.go", Count: 1,
		Find: "\t\tresetspinning()\n\t}\n\n\tif sched.disable.user && !schedEnabled(gp) {\n",
		Put:  "\t\tresetspinning()\n\t}\n\n\tif simOn && gp.bubble != nil || gp.simNode != 0 {\n\t\tif simHold(gp) {\n\t\t\tgoto top\n\t\t}\n\t}\n\tif sched.disable.user && !schedEnabled(gp) {\n",
		Why:  "a goroutine of a killed or paused node does not run; every turn of the others is counted into the schedule's hash",
	},
	{
		File: "runtime/proc.go", Count: 1,
		Find: "\tnewg.runningCleanups.Store(false)\n",
		Put:  "\tnewg.runningCleanups.Store(false)\n\tnewg.simNode = 0\n",
		Why:  "a goroutine's frame is used again",
	},
	{
		File: "runtime/proc.go", Count: 1,
		Find: "\t\tnewg.bubble = callergp.bubble\n",
		Put:  "\t\tnewg.bubble = callergp.bubble\n\t\tnewg.simNode = callergp.simNode\n",
		Why:  "go f() belongs to the node that says it",
	},
	{
		File: "runtime/panic.go", Count: 1,
		Find: "\tpreprintpanics(&p)\n\n\tfatalpanic(&p)",
		Put:  "\tif gp := getg(); simOn && gp.simNode != 0 && simPanic != nil {\n\t\tsimPanic(gp.simNode, e)\n\t}\n\tpreprintpanics(&p)\n\n\tfatalpanic(&p)",
		Why:  "a panic ends the process it happens in, which is one node of the world and not the world",
	},
	{
		File: "runtime/runtime2.go", Count: 1,
		Find: "\tbubble  *synctestBubble\n",
		Put:  "\tbubble  *synctestBubble\n\tsimNode uint32 // which node of the world this goroutine belongs to; 0 is none\n",
		Why:  "room for the node number",
	},
	{
		File: "runtime/runtime2.go", Count: 1,
		Find: "\twaitReasonSyncCondWait:          true,\n",
		Put: "\twaitReasonSyncCondWait:          true,\n\twaitReasonSyncMutexLock:         true,\n" +
			"\twaitReasonSyncRWMutexLock:       true,\n\twaitReasonSyncRWMutexRLock:      true,\n",
		Why: "a library that writes to a slow connection under a lock makes others wait for the lock: simulated time must pass",
	},
	{
		File: "runtime/mprof.go", Count: 1,
		Find: "func SetMutexProfileFraction(rate int) int {\n\tif rate < 0 {\n",
		Put:  "func SetMutexProfileFraction(rate int) int {\n\tif rate == -simKnock {\n\t\treturn simDoor()\n\t}\n\tif rate < 0 {\n",
		Why:  "the one door to what sim.go offers: without the overlay the call reads a rate and the binary still links",
	},
	{
		File: "os/exec.go", Count: 1,
		Find: "func Getpid() int { return syscall.Getpid() }",
		Put:  "func Getpid() int { return 4242 }",
		Why:  "libraries seed generators and name files with it",
	},
	{
		File: "internal/sync/mutex.go", Count: 1,
		Find: "starvationThresholdNs = 1e6",
		Put:  "starvationThresholdNs = 1 << 62",
		Why:  "a mutex hands itself over in another way when somebody waited for a real millisecond",
	},
	{
		File: "internal/sync/mutex.go", Count: 1,
		Find: "func (m *Mutex) Lock() {\n",
		Put:  "func (m *Mutex) Lock() {\n\tm = (*Mutex)(runtime_simLock(unsafe.Pointer(m)))\n",
		Why: "a loop that tries again until another goroutine has done its part ends, elsewhere, when the monitor thread takes " +
			"the processor away; here a turn ends after so many operations, which are the same in every run. And a lock that " +
			"a library keeps for the whole process is each node's own, for a node that is killed does not give it back",
	},
	{
		File: "internal/sync/mutex.go", Count: 1,
		Find: "func (m *Mutex) Unlock() {\n",
		Put:  "func (m *Mutex) Unlock() {\n\tm = (*Mutex)(runtime_simOwn(unsafe.Pointer(m)))\n",
		Why:  "the same lock again",
	},
	{
		File: "internal/sync/runtime.go", Count: 1,
		Find: "func throw(string)\n",
		Put: "func throw(string)\n\n//go:linkname runtime_simLock\nfunc runtime_simLock(m unsafe.Pointer) unsafe.Pointer\n\n" +
			"//go:linkname runtime_simOwn\nfunc runtime_simOwn(m unsafe.Pointer) unsafe.Pointer\n",
		Why: "the way from a mutex to the count of operations, and to the nodes' own locks",
	},
	{
		File: "internal/sync/runtime.go", Count: 1,
		Find: "import _ \"unsafe\"\n",
		Put:  "import \"unsafe\"\n",
		Why:  "for the addresses above",
	},
	{
		File: "internal/runtime/maps/map.go", Count: 5,
		Find: "typ.Hasher(key, m.seed)",
		Put:  "simHash(typ, key, m.seed)",
		Why:  "keys that are addresses lie in a map by where their objects lie, so a walk over more than eight of them would be another one in every run: they have one hash, and so lie in the order in which they came",
	},
	{
		File: "internal/runtime/maps/runtime.go", Count: 3,
		Find: "typ.Hasher(key, m.seed)",
		Put:  "simHash(typ, key, m.seed)",
		Why:  "the same",
	},
	{
		File: "internal/runtime/maps/table.go", Count: 4,
		Find: "typ.Hasher(key, m.seed)",
		Put:  "simHash(typ, key, m.seed)",
		Why:  "the same",
	},
	{
		File: "internal/runtime/maps/runtime_fast64.go", Count: 4,
		Find: "typ.Hasher(abi.NoEscape(unsafe.Pointer(&k)), m.seed)",
		Put:  "simHash(typ, abi.NoEscape(unsafe.Pointer(&k)), m.seed)",
		Why:  "the same",
	},
	{
		File: "internal/runtime/maps/runtime_fast32.go", Count: 4,
		Find: "typ.Hasher(abi.NoEscape(unsafe.Pointer(&k)), m.seed)",
		Put:  "simHash(typ, abi.NoEscape(unsafe.Pointer(&k)), m.seed)",
		Why:  "the same",
	},
	{
		File: "internal/runtime/maps/table.go", Count: 1,
		Find: "const maxTableCapacity = 1024",
		Put:  "const maxTableCapacity = 1 << 13",
		Why:  "a table beyond this is split by a bit of the hash, which does not help where all hashes are equal",
	},
	{
		File: "internal/runtime/maps/table.go", Count: 1,
		Find: "\tlocalDepth++\n\n",
		Put:  "\tlocalDepth++\n\tif localDepth > 12 {\n\t\tfatal(\"sim: too many addresses are keys of one map\")\n\t}\n\n",
		Why:  "the same: an end that is said instead of memory without end",
	},
	{
		File: "runtime/alg.go", Count: 2,
		Find: "\tif t.IsDirectIface() {\n\t\treturn trimHash(c1 * typehash(t, unsafe.Pointer(&a.data), h^c0))\n",
		Put:  "\tif t.IsDirectIface() && simLoose(t, unsafe.Pointer(&a.data)) || !t.IsDirectIface() && simLoose(t, a.data) {\n\t\treturn h\n\t}\n\tif t.IsDirectIface() {\n\t\treturn trimHash(c1 * typehash(t, unsafe.Pointer(&a.data), h^c0))\n",
		Why:  "the same for addresses that an interface holds",
	},
	{
		File: "runtime/chan.go", Count: 1,
		Find: "\tbubble   *synctestBubble\n",
		Put:  "\tbubble   *synctestBubble\n\tsimBorn  uint64 // the how-manieth channel this is\n",
		Why:  "a select that blocks visits its channels in the order of their addresses, and adds their timers in it: the order of their births is the same in every run",
	},
	{
		File: "runtime/chan.go", Count: 1,
		Find: "\tlockInit(&c.lock, lockRankHchan)\n",
		Put:  "\tlockInit(&c.lock, lockRankHchan)\n\tsimChans++\n\tc.simBorn = simChans\n",
		Why:  "the same",
	},
	{
		File: "runtime/select.go", Count: 1,
		Find: "\treturn uintptr(unsafe.Pointer(c))\n",
		Put:  "\treturn uintptr(c.simBorn)\n",
		Why:  "the same; with one processor any order of the locks is as good as another",
	},
	{
		File: "runtime/chan.go", Count: 1,
		Find: "func chansend(c *hchan, ep unsafe.Pointer, block bool, callerpc uintptr) bool {\n",
		Put:  "func chansend(c *hchan, ep unsafe.Pointer, block bool, callerpc uintptr) bool {\n\tsimTick()\n",
		Why:  "sends count too",
	},
	{
		File: "runtime/chan.go", Count: 1,
		Find: "func chanrecv(c *hchan, ep unsafe.Pointer, block bool) (selected, received bool) {\n",
		Put:  "func chanrecv(c *hchan, ep unsafe.Pointer, block bool) (selected, received bool) {\n\tsimTick()\n",
		Why:  "receives count too",
	},
	{
		File: "runtime/select.go", Count: 1,
		Find: "func selectgo(cas0 *scase, order0 *uint16, pc0 *uintptr, nsends, nrecvs int, block bool) (int, bool) {\n",
		Put:  "func selectgo(cas0 *scase, order0 *uint16, pc0 *uintptr, nsends, nrecvs int, block bool) (int, bool) {\n\tsimTick()\n",
		Why:  "and selects",
	},
}
