package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"time"

	"stream-api/stream"
)

// Service is what `services` gives: a service, and the host that offers it.
type Service struct {
	Host string
	// On is that host.
	On stream.HostStatus
	stream.ServiceStatus
}

// Slot is what `slots` gives: an instance of a slot, and the stream that it works for.
type Slot struct {
	Key    string
	Stream stream.StreamStatus
	stream.InstanceStatus
}

// scene is what the functions of one run look at.
type scene struct {
	picture    stream.Status
	changed    time.Time
	env        func(string) string
	serialUsed bool
}

// functions are what a template has beside Go's own; docs/commands.md has them all.
func (s *scene) functions() template.FuncMap {
	return template.FuncMap{
		"services": s.services, "slots": s.slots, "vars": published, "serial": s.serial, "env": func(name string) string { return s.env(name) },
		"urls": urls, "scheme": schemeOf, "host": hostOf, "port": portOf, "hostport": hostPort, "hostports": hostPorts,
		"isip":    func(host string) bool { return net.ParseIP(host) != nil },
		"default": orDefault, "quote": quote, "json": asJSON, "fail": fail,
		"join":  func(separator string, list []string) string { return strings.Join(list, separator) },
		"split": func(separator, text string) []string { return strings.Split(text, separator) },
		"sort":  func(list []string) []string { return slices.Sorted(slices.Values(list)) },
		"uniq":  func(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) },
		"lower": strings.ToLower, "contains": func(part, text string) bool { return strings.Contains(text, part) },
		"replace":    func(from, to, text string) string { return strings.ReplaceAll(text, from, to) },
		"trimPrefix": func(prefix, text string) string { return strings.TrimPrefix(text, prefix) },
		"trimSuffix": func(suffix, text string) string { return strings.TrimSuffix(text, suffix) },
	}
}

// services are those of a type that are up and have nothing to complain of, by host.
func (s *scene) services(kind string) []Service {
	out := []Service{}
	for _, h := range s.picture.Hosts {
		for _, v := range h.Services {
			if v.Type == kind && h.State == stream.Up && v.State == stream.Up && (v.Reason == "" || v.Code == stream.CodeCheckIgnored) {
				out = append(out, Service{Host: h.Host, On: h, ServiceStatus: v})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Service) int { return strings.Compare(a.Host, b.Host) })
	return out
}

// slots are the instances of a service type whose children run, by stream, place in the chain and name.
func (s *scene) slots(kind string) []Slot {
	out := []Slot{}
	for _, v := range s.picture.Streams {
		for _, slot := range v.Slots {
			if slot.Type == kind && slot.Shown() == string(stream.Running) {
				out = append(out, Slot{Key: v.Key, Stream: v, InstanceStatus: slot})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Slot) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// published are the values of one variable that slots publish, sorted, each once, none empty.
func published(name string, slots []Slot) []string {
	out := []string{}
	for _, v := range slots {
		if value := v.Vars[name]; value != "" {
			out = append(out, value)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// serial is a number that grows with each change of the file and stays while the rest of it does: seconds since 1970.
func (s *scene) serial() int64 {
	s.serialUsed = true
	return s.changed.Unix()
}

// urls are those of services, in their order.
func urls(services []Service) []string {
	out := []string{}
	for _, v := range services {
		if v.URL != "" {
			out = append(out, v.URL)
		}
	}
	return out
}

func schemeOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Scheme
}

// hostOf is the host of a URL, without brackets; empty for what is none. Only what may be a name or an address is given,
// so that it may stand in a configuration as it is.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.:", r)
	}
	if strings.ContainsFunc(u.Hostname(), odd) {
		return ""
	}
	return u.Hostname()
}

// usualPorts are those that a URL need not say.
var usualPorts = map[string]string{"http": "80", "https": "443", "rtmp": "1935", "rtmps": "443", "rtsp": "554", "icecast": "8000"}

// portOf is the port of a URL, or the usual one of its scheme; empty for what is none.
func portOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return ""
	}
	if port := u.Port(); port != "" {
		return port
	}
	return usualPorts[u.Scheme]
}

// hostPort is both, as a server is named; empty if one is missing.
func hostPort(text string) string {
	host, port := hostOf(text), portOf(text)
	if host == "" || port == "" {
		return ""
	}
	return net.JoinHostPort(host, port)
}

// hostPorts is hostPort of each that has one, in their order, each once.
func hostPorts(list []string) []string {
	out := []string{}
	for _, text := range list {
		if v := hostPort(text); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// orDefault is v, or value where v is empty.
func orDefault(value, v any) any {
	if truth, ok := template.IsTrue(v); ok && truth {
		return v
	}
	return value
}

// quote puts a text between double quotes, as JSON, YAML, nginx and most others read them.
func quote(v any) (string, error) { return asJSON(fmt.Sprint(v)) }

func asJSON(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// fail keeps what was written last.
func fail(why string) (string, error) { return "", fmt.Errorf("%s: %w", why, ErrFails) }

// nearestField is a field of the picture that differs from a name in case and underscores alone: url, lease_ms.
func nearestField(name string) string {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	for _, v := range []any{stream.Status{}, stream.StreamStatus{}, stream.InstanceStatus{}, stream.HostStatus{}, stream.ServiceStatus{}, stream.SourceStatus{}, Service{}, Slot{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if plain(f.Name) == plain(name) && f.Name != name && !f.Anonymous {
				return f.Name
			}
		}
	}
	return ""
}
