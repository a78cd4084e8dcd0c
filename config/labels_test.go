package config

import (
	"strings"
	"testing"

	"stream-api/stream"
)

func TestALabelIsAValueOfTheHostToo(t *testing.T) {
	t.Parallel()
	c := parse(t, `
network: {name: h, vars: {rack: a}, labels: {site: ber, gpu: vaapi, version: 1.10}}
sources:
  - {name: "icecast-${host:site}", plugin: poll, vars: {url: "http://ingest.${host:site}.example:8000"}, labels: {site: "${host:site}", region: "${host:region:-}"}, chain: [dist]}
`)
	if got, want := c.Labels().Encode(), `{"gpu":"vaapi","site":"ber","version":"1.10"}`; got != want {
		t.Errorf("labels %s, want %s", got, want)
	}
	if got := c.Sources[0].Name; got != "icecast-ber" {
		t.Errorf("the source is called %s", got)
	}
	for name, want := range map[string]string{"site": "ber", "rack": "a", "name": "h"} {
		if got, ok, _ := c.Lookup(stream.Ref{Scope: "host", Name: name}); !ok || got != want {
			t.Errorf("${host:%s} is %q, want %q", name, got, want)
		}
	}
	if len(c.Warnings) != 0 {
		t.Errorf("warnings %v", c.Warnings)
	}
}

func TestLabelsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`network: {vars: {site: ber}, labels: {site: ber}}`: `"site" is in network.vars, too, in line 1`,
		`network: {labels: {name: ber}}`:                    "the host's name itself",
		`network: {labels: {site: "b er"}}`:                 "no value of a label",
		`network: {labels: {site: }}`:                       "no value of a label",
		`network: {labels: {site: "!ber"}}`:                 "no value of a label",
		`network: {labels: {site: "${env:SITE}"}}`:          "no value of a label",
		`network: {labels: [ber]}`:                          "a map of names and values",
		`sources: [{plugin: static, vars: {streams: [s]}, chain: [a], labels: {site: "${host:site}"}}]`:                           `no "site" in network.vars or network.labels`,
		`sources: [{plugin: static, vars: {streams: [s]}, chain: [a], labels: {site: "${env:SITE}"}}]`:                            "secrets never are",
		`sources: [{plugin: static, vars: {streams: [s]}, chain: [a], labels: {site: "a b"}}]`:                                    "no value of a label",
		"network: {vars: {x: a b}}\nsources: [{plugin: static, vars: {streams: [s]}, chain: [a], labels: {site: \"${host:x}\"}}]": "no value of a label",
	} {
		_, err := loadText(t, text+"\n")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want that it says %q", text, err, want)
		}
	}
}

func TestAPlaceAmongTheVariablesIsHintedAt(t *testing.T) {
	t.Parallel()
	c := parse(t, "network: {name: h, vars: {site: ber}}\nservices: {}\nsources: []\n")
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].String(), "under network.labels") {
		t.Errorf("warnings %v; want one that names network.labels", c.Warnings)
	}
}
