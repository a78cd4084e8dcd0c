package sources

import (
	"context"
	"net/netip"
	"net/url"
	"strings"
)

// Place is a stream at a server. Scheme, port and mode are no part of it: what
// is pushed by RTMP to one port is pulled by RTSP from another, and an SRT
// stream id says publish or play.
type Place struct {
	Host string // small letters; all names of the own machine are localhost
	Name string // as the server lists it, without a leading slash
}

// Outputs are the places at which our slots publish, with the streams whose
// slots do.
type Outputs map[Place][]string

// Output gives what slots publish. fresh asks for what is published now, not
// for what was a while ago.
type Output func(ctx context.Context, fresh bool) (Outputs, error)

// Places are those a URL may mean: servers differ in how they read one. None
// for what is no URL, or one without a name.
func Places(address string) []Place {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok || scheme == "" {
		return nil
	}
	authority, path, query := rest, "", ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	// A stream id may begin with a #, so that no fragment is cut off before.
	if path, query, ok = strings.Cut(path, "?"); !ok || !strings.Contains(query, "streamid=") {
		path, _, _ = strings.Cut(path, "#")
		query, _, _ = strings.Cut(query, "#")
	}
	host := hostOf(authority)
	if host == "" {
		return nil
	}
	var out []Place
	for _, name := range names(path, query) {
		out = append(out, Place{host, name})
		// A server with virtual hosts may be told which by its own name, and
		// lists it before the stream's.
		if vhost, within, found := strings.Cut(name, "/"); found && strings.Contains(vhost, ".") {
			out = append(out, Place{strings.ToLower(vhost), within})
		}
	}
	return out
}

// hostOf is the host of what stands before a URL's path.
func hostOf(authority string) string {
	host := strings.ToLower(authority[strings.LastIndexByte(authority, '@')+1:])
	if inner, found := strings.CutPrefix(host, "["); found {
		host, _, _ = strings.Cut(inner, "]")
	} else {
		host, _, _ = strings.Cut(host, ":")
	}
	host = strings.TrimSuffix(host, ".")
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().IsLoopback() {
		return "localhost"
	}
	return host
}

// names are what path and query may name.
func names(path, query string) []string {
	name := strings.Trim(unescaped(path), "/")
	var vhost, app, live string
	for pair := range strings.SplitSeq(query, "&") {
		field, value, _ := strings.Cut(pair, "=")
		value = unescaped(value)
		switch field {
		case "streamid":
			return streamID(value)
		case "vhost": // rtmp://srs/live?vhost=v/name, as SRS has it, or /live/name?vhost=v
			var within string
			vhost, within, _ = strings.Cut(value, "/")
			name = strings.Trim(name+"/"+within, "/")
		case "app":
			app = value
		case "stream":
			live = value
		}
	}
	if app != "" && live != "" { // http://srs/rtc/v1/whip/?app=live&stream=name
		name = app + "/" + live
	}
	if name == "" {
		return nil
	}
	if vhost != "" && vhost != "__defaultVhost__" {
		name = vhost + "/" + name
	}
	out := []string{name}
	for _, end := range []string{"/whip", "/whep", "/index.m3u8", ".m3u8", ".flv", ".ts"} {
		if short, found := strings.CutSuffix(name, end); found && short != "" {
			return append(out, short)
		}
	}
	return out
}

// streamID is the name in an SRT stream id: publish/N or play/N of srtrelay,
// where a second slash begins a password, publish:N or read:N of MediaMTX,
// where a second colon does, #!::r=N of the SRT access control guidelines, with
// h for a virtual host, else the name alone.
func streamID(id string) []string {
	if pairs, found := strings.CutPrefix(id, "#!::"); found {
		var resource, host string
		for pair := range strings.SplitSeq(pairs, ",") {
			field, value, _ := strings.Cut(pair, "=")
			switch field {
			case "r":
				resource = value
			case "h":
				host = value
			}
		}
		if resource == "" { // SRS: #!::h=host/app/name
			host, resource, _ = strings.Cut(host, "/")
		}
		resource, query, _ := strings.Cut(resource, "?")
		found := names(resource, query)
		if host != "" {
			found = append(found, names(host+"/"+resource, "")...)
		}
		return found
	}
	for _, mode := range []string{"publish", "play", "request", "read"} {
		if name, found := strings.CutPrefix(id, mode+"/"); found {
			name, _, _ = strings.Cut(name, "/")
			return names(name, "")
		}
		if name, found := strings.CutPrefix(id, mode+":"); found {
			name, _, _ = strings.Cut(name, ":")
			name, _, _ = strings.Cut(name, "?")
			return names(name, "")
		}
	}
	id, _, _ = strings.Cut(id, ",") // datarhei: name,mode:publish
	return names(id, "")
}

func unescaped(s string) string {
	if text, err := url.PathUnescape(s); err == nil {
		return text
	}
	return s
}
