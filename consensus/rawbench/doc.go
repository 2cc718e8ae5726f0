// Package rawbench measures what dragonboat itself does on this machine, with machines
// that do nothing: the bar for everything built on top. Three node hosts in one process,
// on our journal, on dragonboat's default log store or on tan.
//
// It promises: every proposal counted was fsynced by a majority and applied. It asks for
// an empty folder on the disk to be measured, and for nobody else's load. Figures of one
// run compare; those of different hours do not.
//
// Read run.go.
package rawbench
