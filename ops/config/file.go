package config

import (
	"fmt"
	"io"
	"reflect"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"
)

// Values are the keys of a file, flattened: "kafka: {listen: x}" and "kafka-listen: x"
// are the same key, kafka-listen.
type Values map[string]any

// ReadFile reads a YAML file's keys. An unknown key is an error that names it and
// the nearest known ones.
func ReadFile(r io.Reader) (Values, error) {
	var tree map[string]any
	if err := yaml.NewDecoder(r).Decode(&tree); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	vs := Values{}
	flatten(vs, "", tree)
	known := Keys()
	for _, k := range sortedKeys(vs) {
		if _, ok := known[k]; !ok {
			return nil, fmt.Errorf("read configuration: unknown key %q (known: %s)", k, strings.Join(sortedKeys(known), ", "))
		}
	}
	return vs, nil
}

func flatten(vs Values, prefix string, tree map[string]any) {
	for k, v := range tree {
		k = strings.ReplaceAll(prefix+k, "_", "-")
		if sub, ok := v.(map[string]any); ok {
			flatten(vs, k+"-", sub)
			continue
		}
		vs[k] = v
	}
}

// Keys lists every key of Config with its help text.
func Keys() map[string]string {
	ks := map[string]string{}
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		f := t.Field(i)
		ks[f.Tag.Get("name")] = f.Tag.Get("help")
	}
	return ks
}

func sortedKeys[V any](m map[string]V) []string {
	ks := make([]string, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	sort.Strings(ks)
	return ks
}
