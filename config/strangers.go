package config

import (
	"path"
	"regexp"
	"strings"

	"stream-api/runners/plan"
	"stream-api/stream"
)

// warnCommands says what the commands of a program give away, and to whom.
func (d *decoder) warnCommands(at string, e *plan.Exec) {
	d.warnArguments(join(at, "args"), e.Args)
	d.warnWhitelists(join(at, "args"), e)
	for name, commands := range e.Hooks.Each() {
		for i, command := range commands {
			d.warnArguments(element(join(at, "hooks."+name), i), command)
		}
	}
	if e.Ready != nil {
		d.warnArguments(join(at, "ready.command"), e.Ready.Command)
	}
}

// warnArguments finds secrets in one command: arguments can be read by every
// user of the machine, and one beside a place that somebody else names may be
// sent there.
func (d *decoder) warnArguments(at string, command []stream.Template) {
	secret, foreign := "", ""
	for i, t := range command {
		where := element(at, i)
		for n, ref := range t.Refs() {
			switch {
			case ref.Secret():
				d.warn(d.valueAt(where), where, "%s becomes an argument, which every user of this machine can read; give it by env or env_file, or have the program read a file (curl -K or --netrc-file, ffmpeg -fpre)", ref)
				secret = ref.String()
			case ref.OfSlot() && n == 0 && strings.HasPrefix(t.String(), "${"):
				foreign = ref.String()
			}
		}
	}
	if secret != "" && foreign != "" {
		d.warn(d.valueAt(at), at, "%s is given to the same command as a place that another slot names, %s: whoever publishes that may be sent the secret; write the place here, or bind the secret to it (curl --netrc-file)", secret, foreign)
	}
}

// ffmpeg as a program of its own, or called by a shell.
var ffmpeg = regexp.MustCompile(`(^|[\s;&|(/"'])ff(mpeg|play|probe)($|[\s"'])`)

// warnWhitelists finds an ffmpeg that believes what a publisher sends: it looks
// at the bytes, not at the type, and a playlist has it ask any server, also
// those that only this network reaches.
func (d *decoder) warnWhitelists(at string, e *plan.Exec) {
	text := path.Base(e.Path)
	for _, t := range e.Args {
		text += " " + t.String()
	}
	if !ffmpeg.MatchString(text) || !strings.Contains(text, "-i") {
		return
	}
	var lacks []string
	for _, option := range []string{"-protocol_whitelist http,https,tls,tcp", "-format_whitelist matroska,mp3,ogg,flv,mpegts"} {
		if name, _, _ := strings.Cut(option, " "); !strings.Contains(text, name) {
			lacks = append(lacks, option)
		}
	}
	if len(lacks) > 0 {
		d.warn(d.valueAt(at), at, "ffmpeg without %s before its -i: a publisher can send a playlist instead of a stream and have it ask other servers, those inside this network among them", strings.Join(lacks, " and "))
	}
}
