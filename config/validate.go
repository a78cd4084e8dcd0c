package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"reflect"
	"regexp"
	"strings"
	"sync"

	"github.com/go-playground/validator/v10"

	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// checks are the validations of our own, by the name in the struct tags. Each
// says why the text is wrong.
var checks = map[string]func(string) error{
	"host":       stream.CheckHost,
	"slot":       CheckSlot,
	"streamkey":  stream.CheckKey,
	"var":        stream.CheckVar,
	"apart":      stream.CheckApart,
	"near":       stream.CheckNear,
	"spread":     stream.CheckSpread,
	"each":       stream.CheckEach,
	"jobeach":    stream.CheckJobEach,
	"jobvalue":   stream.CheckJobValue,
	"slotvar":    stream.CheckItemVar,
	"streamvar":  func(s string) error { return stream.CheckVars(map[string]string{s: ""}) },
	"pool":       stream.CheckPool,
	"label":      stream.CheckLabel,
	"labelvalue": stream.CheckLabelValue,
	"hostvar":    reserve("name", "the host's name itself"),
	"placevar":   reserve("index", "the place's number"),
	"namespace":  CheckNamespace,
	"redis":      func(s string) error { return checkHere(s, checkRedis) },
	"pullurl":    func(s string) error { return checkHere(s, checkPull) },
	"httpurl":    func(s string) error { return checkHere(s, checkHTTP) },
	"listen":     func(s string) error { _, err := splitListen(s); return err },
	"webhost":    checkWebHost,
	"abspath":    checkAbsolute,
	"statedir":   checkStateDir,
	"program":    checkProgram,
	"envname":    checkEnvName,
	"plain":      checkPlain,
	"onlyrefs":   checkOnlyRefs,
	"groups":     checkGroups,
	"processors": supervisor.CheckCPUs,
}

var newValidator = sync.OnceValue(func() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterCustomTypeFunc(func(field reflect.Value) any {
		switch x := field.Interface().(type) {
		case stream.Template:
			return x.String()
		case regexp.Regexp:
			return x.String()
		}
		return nil
	}, stream.Template{}, regexp.Regexp{})
	for name, check := range checks {
		err := v.RegisterValidation(name, func(fl validator.FieldLevel) bool {
			return check(fl.Field().String()) == nil
		})
		if err != nil {
			panic(err) // only an empty name is refused
		}
	}
	return v
})

// check applies the tags of one value and reports every failure in words.
func (d *decoder) check(n *node, path string, v reflect.Value, tags string) {
	tags = strings.TrimPrefix(strings.TrimPrefix(tags, "required"), ",")
	if tags == "" {
		return
	}
	err := newValidator().Var(v.Interface(), tags)
	var failures validator.ValidationErrors
	if !errors.As(err, &failures) {
		if err != nil {
			d.problem(n.at, path, "%v", err)
		}
		return
	}
	for _, failure := range failures {
		at := n.at
		if failure.Tag() == "unique" {
			if twice, first, ok := secondOf(n); ok {
				d.problem(twice.at, path, "%s is here for the second time; the first is in line %d", stream.Quote(twice.text), first.at.line)
				continue
			}
		}
		d.problem(at, path, "%s", explain(failure, n))
	}
}

// secondOf finds the first item that repeats an earlier one.
func secondOf(list *node) (twice, first *node, ok bool) {
	seen := map[string]*node{}
	for _, item := range list.items {
		if before, ok := seen[item.text]; ok {
			return item, before, true
		}
		seen[item.text] = item
	}
	return nil, nil, false
}

func explain(failure validator.FieldError, n *node) string {
	if check, ok := checks[failure.Tag()]; ok {
		text := n.text
		if err := check(text); err != nil {
			return err.Error()
		}
	}
	what, limit := stream.Quote(n.text), failure.Param()
	if n.kind == listKind || n.kind == mapKind {
		what = fmt.Sprintf("%d entries", len(n.items)+len(n.entries))
	}
	switch failure.Tag() {
	case "gte", "min":
		return fmt.Sprintf("%s is too little: at least %s", what, limit)
	case "lte", "max":
		return fmt.Sprintf("%s is too much: at most %s", what, limit)
	case "oneof":
		words := strings.Fields(limit)
		return fmt.Sprintf("%s is not one of %s%s", what, strings.Join(words, ", "), suggest(n.text, words))
	}
	return fmt.Sprintf("%s does not satisfy %s", what, failure.ActualTag())
}

// CheckSlot says why s may not name a service, and so no slot of a chain, or
// nil. What begins a reference of its own could be referred to by nobody.
func CheckSlot(s string) error {
	if err := stream.CheckType(s); err != nil {
		return err
	}
	if !(stream.Ref{Scope: s}).OfSlot() {
		return fmt.Errorf("%q cannot name a service: ${%s:…} is something else, so no other service could refer to it; name it otherwise", s, s)
	}
	return nil
}

func reserve(name, what string) func(string) error {
	return func(s string) error {
		if s == name {
			return fmt.Errorf("%q is %s; use another name", s, what)
		}
		return stream.CheckVar(s)
	}
}

var (
	namespacePattern  = regexp.MustCompile(`^[a-z0-9._:-]+$`)
	sourceNamePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	envNamePattern    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// CheckNamespace says why s is no prefix of keys, or nil.
func CheckNamespace(s string) error {
	if len(s) > 64 || !namespacePattern.MatchString(s) {
		return fmt.Errorf("%s is no namespace: up to 64 small letters, digits, '.', '_', ':', '-' (it is part of queue names, too)", stream.Quote(s))
	}
	return nil
}

func checkSourceName(s string) error {
	if len(s) > 64 || !sourceNamePattern.MatchString(s) {
		return fmt.Errorf("%s is no name of a source: up to 64 letters, digits, '.', '_', '-', beginning with a letter or digit", stream.Quote(s))
	}
	return nil
}

// reservedEnv begins the variables that every child is given by the runner.
const reservedEnv = "STREAM_API_"

func checkEnvName(s string) error {
	if !envNamePattern.MatchString(s) {
		return fmt.Errorf("%s is no name of an environment variable: a letter or '_', then letters, digits or '_'", stream.Quote(s))
	}
	if strings.HasPrefix(s, reservedEnv) {
		return fmt.Errorf("%q: names beginning with %s are set by the runner", s, reservedEnv)
	}
	return nil
}

// MaxStateDir is how many bytes the path of a state directory may have: below it
// lie sockets, whose paths may have 107. It is package runners' figure.
const MaxStateDir = 83

func checkStateDir(s string) error {
	if len(s) > MaxStateDir {
		return fmt.Errorf("%s has %d bytes, and sockets lie below it: %d at most", stream.Quote(s), len(s), MaxStateDir)
	}
	return checkAbsolute(s)
}

func checkAbsolute(s string) error {
	if !path.IsAbs(s) {
		return fmt.Errorf("%s is no absolute path; it must begin with /", stream.Quote(s))
	}
	if strings.ContainsRune(s, 0) {
		return fmt.Errorf("%s holds a zero byte", stream.Quote(s))
	}
	return nil
}

// checkProgram: a relative path would depend on the child's directory, which
// is a fresh one each time.
func checkProgram(s string) error {
	switch {
	case s == "":
		return errors.New("the path of the program is empty")
	case strings.ContainsRune(s, 0):
		return fmt.Errorf("%s holds a zero byte", stream.Quote(s))
	case strings.Contains(s, "${"):
		return fmt.Errorf("%s: the program cannot be a template; its arguments can", stream.Quote(s))
	case strings.ContainsRune(s, '/') && !path.IsAbs(s):
		return fmt.Errorf("%s is neither absolute nor a bare name to be found in PATH", stream.Quote(s))
	}
	return nil
}

// checkPlain refuses what looks like a template where none is resolved.
func checkPlain(s string) error {
	if strings.Contains(s, "${") {
		return fmt.Errorf("%s looks like a template, but the value here is taken as it is", stream.Quote(s))
	}
	if len(s) > stream.MaxValueBytes {
		return fmt.Errorf("the value has %d bytes; %d at most", len(s), stream.MaxValueBytes)
	}
	return nil
}

func checkOnlyRefs(s string) error {
	if !onlyRefs.MatchString(s) {
		return errors.New("the token must not stand in this file: write ${env:NAME}, ${file:/path}, or use token_file")
	}
	return nil
}

// checkGroups: named groups become variables of the stream.
func checkGroups(s string) error {
	re, err := regexp.Compile(s)
	if err != nil {
		return err
	}
	for _, name := range re.SubexpNames() {
		if name == "" {
			continue
		}
		if err := stream.CheckVars(map[string]string{name: ""}); err != nil {
			return fmt.Errorf("group %q becomes a variable of the stream: %w", name, err)
		}
	}
	return nil
}

func checkWebHost(s string) error {
	if stream.CheckHost(s) == nil {
		return nil
	}
	host := s
	if i := strings.LastIndexByte(s, ':'); i > 0 && !strings.HasSuffix(s, "]") {
		host = s[:i]
		if !validPort(s[i+1:]) {
			return fmt.Errorf("%s: the port must be a number from 1 to 65535", stream.Quote(s))
		}
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return stream.CheckHost(host)
}

// checkHTTP checks the base URL of an ingest.
func checkHTTP(text string) error {
	u, err := parseBase(text, "http://host:8000")
	switch {
	case err != nil:
		return err
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%s is no http:// or https:// URL", stream.Quote(maskURL(text)))
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%s: give the ingest's base without ?… or #…; the poller adds the path of its type", stream.Quote(maskURL(text)))
	}
	return nil
}

// checkPull checks the base from which streams are pulled, in any scheme.
func checkPull(text string) error {
	if text == "" {
		return nil
	}
	_, err := parseBase(text, "rtmp://host:1935")
	return err
}

// parseBase parses a URL that needs a scheme and a host.
func parseBase(text, example string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		// Not why: that would quote what may be a part of a password.
		return nil, fmt.Errorf("%s is no URL: write %s, and in a user or password %%40 for @, %%3A for :, %%2F for /", stream.Quote(maskURL(text)), example)
	case u.Scheme == "" || u.Opaque != "" || !strings.Contains(text, "://"):
		return nil, fmt.Errorf("%s is no URL: write it with its scheme, such as %s", stream.Quote(maskURL(text)), example)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%s names no host", stream.Quote(maskURL(text)))
	case u.Port() != "" && !validPort(u.Port()):
		return nil, fmt.Errorf("%s: the port must be a number from 1 to 65535", stream.Quote(maskURL(text)))
	}
	return u, nil
}

// loopback tells whether only this machine reaches the address.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
