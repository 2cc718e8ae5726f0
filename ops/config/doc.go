// Package config is the configuration of one node: one documented struct, filled
// from a YAML file, the environment and flags, and validated before anything starts.
//
// It promises: (1) every key exists once, as a field of Config, with its default,
// unit and meaning in its tags, so that --help, the file and the environment
// cannot differ; (2) an unknown key in a file is an error that names it; (3) Validate
// names the key that is wrong, its value, and what would be right; (4) flags win over
// the environment, the environment over the file, the file over defaults.
//
// It asks the caller to call Validate. It opens nothing but the file it is told to read.
//
// Read config.go first, then file.go.
package config
