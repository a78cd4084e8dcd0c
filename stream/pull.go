package stream

import (
	"errors"
	"net/url"
	"strings"
)

// PullPlace in a source's pull is where the name goes that the server lists:
// srt://ingest:8890?streamid=read:${stream:key}. Without one the name is joined
// to the end.
const PullPlace = "${stream:key}"

// PullURL is where to pull the stream from that a server lists as name.
func PullURL(pull, name string) string {
	name = strings.TrimLeft(name, "/")
	if strings.Contains(pull, PullPlace) {
		return strings.ReplaceAll(pull, PullPlace, name)
	}
	return strings.TrimRight(pull, "/") + "/" + name
}

// CheckPull refuses a base to whose end no name can be joined. Where names are
// given as a parameter, as srtrelay has it, the base may have others.
func CheckPull(pull string, byParameter bool) error {
	u, err := url.Parse(pull)
	if err != nil || strings.Contains(pull, PullPlace) {
		return nil
	}
	if u.Fragment != "" || !byParameter && (u.RawQuery != "" || u.ForceQuery) {
		return errors.New("no name can be joined to the end of a URL with ?… or #…; write " + PullPlace +
			" where the stream's name goes, such as srt://host:8890?streamid=read:" + PullPlace)
	}
	return nil
}
