package store

import (
	"io"

	"github.com/cockroachdb/pebble/v2"
)

// mendOptionsFile removes pebble's options file if it is damaged. It repeats what the program says, which is the same in each of
// its versions (rows say which version wrote them), and has no checksum; pebble does not open beside one that says something else,
// and writes another when there is none. What cannot be read is left to Open.
func (s *Store) mendOptionsFile() error {
	desc, err := pebble.Peek(s.options.Dir, s.options.FS)
	if err != nil || !desc.Exists || desc.OptionsFilename == "" {
		return nil
	}
	f, err := s.options.FS.Open(desc.OptionsFilename)
	if err != nil {
		return nil
	}
	text, err := io.ReadAll(f)
	if closeErr := f.Close(); err != nil || closeErr != nil {
		return nil
	}
	o := *s.pebble
	o.EnsureDefaults()
	if err = o.CheckCompatibility(s.options.Dir, string(text)); err == nil {
		return nil
	}
	s.options.Logger.Warn("pebble's options file was damaged, and is made anew", "file", desc.OptionsFilename, "err", err)
	return s.options.FS.Remove(desc.OptionsFilename)
}
