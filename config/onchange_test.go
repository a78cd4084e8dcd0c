package config

import (
	"strings"
	"testing"

	"stream-api/runners/plan"
)

func TestOnChangeIsReadInItsThreeForms(t *testing.T) {
	c := parse(t, `services:
  a: {plugin: {name: exec, path: /bin/sh}}
  b: {plugin: {name: exec, path: /bin/sh}, on_change: ignore}
  c: {plugin: {name: exec, path: /bin/sh}, on_change: {signal: USR1}, on_source_change: restart}
`)
	want(t, "a", c.Services["a"].OnChange, plan.OnChange{})
	want(t, "b", c.Services["b"].OnChange, plan.OnChange{Do: plan.Ignore})
	want(t, "c", c.Services["c"].OnChange, plan.OnChange{Do: plan.Signal, Signal: "USR1"})
	want(t, "b, another source", c.Services["b"].SourceChange(), "ignore")
	want(t, "c, another source", c.Services["c"].SourceChange(), "restart")
}

func TestWhoUsesAListSaysWhatItsChangesDo(t *testing.T) {
	c := parse(t, `services:
  a: {plugin: {name: exec, path: /bin/sh, env: {U: "${relay*:url}"}}, on_change: ignore}
  b: {plugin: static, stream_vars: {u: "${relay*:url}"}}
`)
	want(t, "needs", c.Services["a"].Class.Needs, "relay*:url")
}

// What is no part of the environment cannot reach a child that runs.
func TestWhatAChildThatIsToldCannotSeeIsAWarning(t *testing.T) {
	c := parse(t, `services:
  a: {plugin: {name: exec, path: /bin/sh, args: ["${dist:url}"], env: {U: "${dist:url}"}}, on_change: ignore}
  b: {plugin: {name: exec, path: /bin/sh, args: ["${dist:url}"]}}
`)
	want(t, "warnings", strings.Join(warningsOf(c), "\n"),
		"services.a.plugin.args[0]: ${dist:url} may change, and on_change is ignore: a program that runs sees new values in STREAM_API_ENV, and never other arguments; put it into env")
}
