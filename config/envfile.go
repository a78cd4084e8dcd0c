package config

import (
	"os"
	"path"
	"slices"

	"stream-api/internal/confine"
	"stream-api/runners/plan"
	"stream-api/stream"
)

// shared are directories that programs need, so that none of them can be hidden
// for the sake of a few files.
var shared = []string{
	"/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/run/user", "/sbin", "/srv", "/sys",
	"/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/share", "/var", "/var/lib", "/var/tmp",
}

// envPlaces are the files of env_file and, of those that a stream's name or
// variables choose, the directories. What is wrong with one is said elsewhere.
func (c *Config) envPlaces(e *plan.Exec) (files, dirs []string) {
	for _, t := range e.EnvFile {
		switch place, many, err := plan.EnvPlace(t, c.hostOnly); {
		case err != nil:
		case many:
			dirs = append(dirs, place)
		default:
			files = append(files, place)
		}
	}
	return files, dirs
}

// checkEnvFiles finds what env_file may not name.
func (d *decoder) checkEnvFiles(c *Config) {
	ours := c.ours()
	for _, name := range c.Services.Types() {
		s := c.Services[name]
		if s.Exec == nil {
			continue
		}
		first := map[string]string{}
		for i, t := range s.Exec.EnvFile {
			at := element(join(join("services", name), "plugin.env_file"), i)
			if before, twice := first[t.String()]; twice {
				d.problem(d.valueAt(at), at, "%s is here for the second time; the first is in line %d", stream.Quote(t.String()), d.valueAt(before).line)
				continue
			}
			first[t.String()] = at
			d.checkEnvFile(c, s, at, t, ours)
		}
	}
}

func (d *decoder) checkEnvFile(c *Config, s *Service, at string, t stream.Template, ours []string) {
	for _, ref := range t.Refs() {
		if ref.Scope == "host" && checkHostRef(c, ref) != "" {
			return // that was said
		}
	}
	place, many, err := plan.EnvPlace(t, c.hostOnly)
	if err == nil && !many {
		err = checkAbsolute(place)
	}
	if err != nil {
		d.problem(d.valueAt(at), at, "%v", err)
		return
	}
	if many {
		d.checkEnvDir(c, s, at, place, ours)
	}
}

// checkEnvDir: who publishes chooses a file of this directory, and confine hides
// all of it from the others.
func (d *decoder) checkEnvDir(c *Config, s *Service, at, dir string, ours []string) {
	own := c.filesOf(s)
	others := slices.DeleteFunc(slices.Clone(ours), func(file string) bool { return slices.Contains(own, file) })
	hides := func(places ...string) confine.Policy { return confine.Policy{Level: confine.Hide, Hidden: places} }
	switch {
	case slices.Contains(shared, dir):
		d.problem(d.valueAt(at), at, "%s is a directory that programs need, and confine hides from others what these files lie in: give them a directory of their own, such as %s", dir, path.Join(dir, "stream-api-env"))
	case hides(c.StateDir).Hiding(dir) != "":
		d.problem(d.valueAt(at), at, "%s lies in state_dir, where children write: put these files elsewhere, such as in /etc/stream-api/env", dir)
	default:
		if file := hides(others...).Within(dir); file != "" {
			d.problem(d.valueAt(at), at, "%s lies below %s, too, where a stream's name or variables could choose it: give the files of streams a directory of their own, such as %s", file, dir, path.Join(dir, "env"))
		}
	}
}

// warnEnvFile says what this machine lacks; of a directory of files only that it
// is none.
func (d *decoder) warnEnvFile(c *Config, at string, t stream.Template) {
	place, many, err := plan.EnvPlace(t, c.hostOnly)
	switch {
	case err != nil: // said
	case !many:
		d.warnFile(at, place)
	default:
		info, err := os.Stat(place)
		if err == nil && !info.IsDir() {
			d.warn(d.valueAt(at), at, "%s is no directory", place)
		} else if err != nil {
			d.warn(d.valueAt(at), at, "no file can be read there on this machine: %v", err)
		}
	}
}

// describeEnvFile says of a file what is not known of it before its stream is.
func (c *Config) describeEnvFile(t stream.Template) string {
	place, many, err := plan.EnvPlace(t, c.hostOnly)
	if err != nil || !many {
		return oneLine(place)
	}
	return oneLine(t.String()) + ": which one is known at a start, so none of those in " + place + " is looked at here"
}
