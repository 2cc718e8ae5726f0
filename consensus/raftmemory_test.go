package consensus

import "testing"

// TestRaftMemorySettings: the linker gave us dragonboat's variables, not new ones of ours (init would have failed).
func TestRaftMemorySettings(t *testing.T) {
	for i, s := range raftMemory {
		if *s.setting != s.ours {
			t.Errorf("setting %d is %d", i, *s.setting)
		}
	}
	if entrySliceFree >= entrySliceEntries {
		t.Error("dragonboat panics")
	}
}
