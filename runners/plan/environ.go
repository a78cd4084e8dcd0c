package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"stream-api/program"
	"stream-api/stream"
)

// environ is the whole environment but for what a supervisor adds: what is
// inherited, the files over it, the file's env over them, and whom it is for over
// everything.
func (e *Exec) environ(at Subject, files []envFile, lookup stream.Lookup, secrets *secrets) ([]string, error) {
	env := map[string]string{}
	for _, kv := range program.Inherited() {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	for _, file := range files {
		vars, err := file.read()
		if err != nil {
			return nil, fmt.Errorf("env_file: %w", err)
		}
		for name, value := range vars {
			env[name] = value
			secrets.add(value) // all of a file's values count as secrets
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Env)) {
		value, err := e.Env[name].Resolve(lookup)
		if err != nil {
			return nil, fmt.Errorf("env %s: %w", name, err)
		}
		env[name] = value
	}
	maps.Copy(env, at.environ())
	out := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		out = append(out, name+"="+env[name])
	}
	return out, nil
}

// environ is what a child is told of whom it is for.
func (s Subject) environ() map[string]string {
	return map[string]string{
		"STREAM_API_STREAM": s.Key, "STREAM_API_SLOT": stream.SlotOf(s.Instance), "STREAM_API_INSTANCE": s.Instance,
		"STREAM_API_HOST": s.Host, "STREAM_API_TOKEN": s.Token,
	}
}
