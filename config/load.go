package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// File is one input of LoadBytes; Name is for messages.
type File struct {
	Name string
	Data []byte
}

// Load reads the files, lays each over those before it, and checks the
// result. A directory stands for its *.yaml, in the order of their names. What is wrong with their content comes as *Error, all of it; a file
// that cannot be read comes as the error of the system.
func Load(paths ...string) (*Config, error) {
	var files []File
	var unreadable []error
	all, err := expand(paths)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	for _, path := range all {
		data, err := os.ReadFile(path)
		if err != nil {
			unreadable = append(unreadable, fmt.Errorf("read configuration: %w", err))
			continue
		}
		files = append(files, File{Name: path, Data: data})
	}
	if err := errors.Join(unreadable...); err != nil {
		return nil, err
	}
	c, err := LoadBytes(files...)
	if c != nil {
		c.Paths = paths
	}
	return c, err
}

// expand puts the files of directories in their place.
func expand(paths []string) ([]string, error) {
	var out []string
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			out = append(out, path) // what cannot be read is told when it is
			continue
		}
		entries, err := os.ReadDir(path) // sorted by name
		if err != nil {
			return nil, err
		}
		before := len(out)
		for _, e := range entries {
			name := e.Name()
			switch {
			case strings.HasPrefix(name, "."):
			case strings.HasSuffix(name, ".yml"):
				return nil, fmt.Errorf("%s would not be read: of a directory only *.yaml are; call it %s.yaml, or move it away",
					filepath.Join(path, name), strings.TrimSuffix(name, ".yml"))
			case strings.HasSuffix(name, ".yaml"):
				out = append(out, filepath.Join(path, name))
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("there is no *.yaml in the directory %s", path)
		}
	}
	return out, nil
}

// LoadBytes is Load of what is already read.
func LoadBytes(files ...File) (*Config, error) {
	return load(os.Hostname, files...)
}

func load(hostname func() (string, error), files ...File) (*Config, error) {
	if len(files) == 0 {
		return nil, errors.New("no configuration file given")
	}
	found := &problems{}
	warnings := &problems{}
	d := &decoder{problems: found, warnings: warnings, index: map[string]entry{}}
	for _, f := range files {
		found.files = append(found.files, newFile(f.Name, f.Data))
	}
	warnings.files = found.files
	d.file = found.files[len(files)-1]
	root := d.read(files)
	// A file that is no YAML would only bring problems that are none.
	if err := found.err(); err != nil && root == nil {
		return nil, err
	}

	c := &Config{}
	for _, f := range files {
		c.Files = append(c.Files, f.Name)
	}
	d.decode(root, "", c, rules{})
	d.addOldSources(c)
	d.defaultName(c, hostname)
	d.finish(c)
	if err := found.err(); err != nil {
		return nil, err
	}
	d.warnMachine(c)
	d.warnChains(c)
	d.warnConfine(c)
	c.Warnings = warnings.sorted()
	return c, nil
}

// read parses and merges; nil if a file could not be parsed.
func (d *decoder) read(files []File) *node {
	var root *node
	broken := false
	for i, f := range files {
		one := parseFile(d.problems.files[i], f.Data, d.problems)
		if one == nil {
			broken = true
			continue
		}
		one = canonical(withoutExtensions(one), d.problems)
		switch {
		case one.kind == nullKind && root != nil: // an empty file says nothing
		case root == nil || root.kind == nullKind:
			root = one
		default:
			d.checkForms(root, one)
			root = merge(root, one, "", func(path string, e entry) {
				d.warn(e.at, path, "is empty here, and so takes back what an earlier file says")
			})
		}
	}
	if broken {
		return nil
	}
	return root
}

// checkForms: a list would silently take the place of a map, and a map of a list.
func (d *decoder) checkForms(earlier, later *node) {
	was, said := earlier.find("sources")
	is, again := later.find("sources")
	if !said || !again || was.value.kind == is.value.kind || len(is.value.items)+len(is.value.entries) == 0 {
		return // an empty one is meant to take the other back
	}
	if was.value.kind == listKind && len(was.value.items) > 0 || was.value.kind == mapKind && len(was.value.entries) > 0 {
		d.problem(is.value.at, "sources", "this is %s, and %s in an earlier file: write both as maps by name, which merge, or both as lists, of which the later one counts",
			is.value.kind, was.value.kind)
	}
}

// defaultName takes the machine's own name if none is given.
func (d *decoder) defaultName(c *Config, hostname func() (string, error)) {
	if c.Network.Name != "" {
		return
	}
	if e, given := d.index["network.name"]; given && e.value.kind != nullKind {
		if e.value.kind == scalarKind && e.value.text == "" {
			d.problem(e.value.at, "network.name", "the name is empty; leave the key out to use the machine's own")
		}
		return
	}
	name, err := hostname()
	name = strings.ToLower(name)
	if err == nil {
		err = checks["host"](name)
	}
	if err != nil {
		d.problem(d.at("network"), "network.name", "it is not given, and the machine's own name cannot be used: %v", err)
		return
	}
	c.Network.Name = name
}

func (d *decoder) warn(at place, path, format string, args ...any) {
	d.warnings.add(at, path, format, args...)
}
