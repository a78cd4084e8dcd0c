package stream

import (
	"strings"
	"testing"
)

func TestItemsHaveOneForm(t *testing.T) {
	t.Parallel()
	m := Items{
		"dist": {}, "record": {Type: "record", Vars: map[string]string{}},
		"ext": {Type: "record", Vars: map[string]string{"keep": "30d"}},
	}
	const want = `{"ext":{"type":"record","vars":{"keep":"30d"}}}`
	if got := m.Canonical().Encode(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := DecodeItems(want).Encode(); got != want {
		t.Errorf("read and written it is %s", got)
	}
	if m.Type("ext") != "record" || m.Type("dist") != "dist" || m.Type("nowhere") != "nowhere" {
		t.Error("a slot is of the type its item says, else of its name's")
	}
	if got := (Items{"dist": {}}).Canonical().Encode(); got != "" {
		t.Errorf("plain names come to %s", got)
	}
	for _, text := range []string{"", "{", "[]", `{"a":3}`, "null"} {
		if m := DecodeItems(text); len(m) != 0 {
			t.Errorf("%s reads as %v", text, m)
		}
	}
}

func TestAMereNameInARuleMeansTheItemOfTheSource(t *testing.T) {
	t.Parallel()
	source := Items{"rec": {Type: "record"}, "thumb": {Vars: map[string]string{"w": "320"}}}
	rule := Items{"thumb": {}, "dist": {Type: "dist"}, "rec": {Type: "record"}}
	over := rule.Over(source)
	if got := over.Encode(); got != `{"thumb":{}}` {
		t.Errorf("a rule says %s besides its source; want that thumb is plain", got)
	}
	if got := over.Under([]string{"dist", "rec", "thumb"}, source).Encode(); got != `{"rec":{"type":"record"}}` {
		t.Errorf("its streams get %s", got)
	}
	if got := Items(nil).Under([]string{"thumb"}, source).Encode(); got != `{"thumb":{"vars":{"w":"320"}}}` {
		t.Errorf("without a word of the rule: %s", got)
	}
}

func TestItemsThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		item Item
		want string
	}{
		{Item{Type: "record", Vars: map[string]string{"a": "${stream:x:-1}${source:url}${dist:url}", "b": "$$"}}, ""},
		{Item{Type: "Record"}, "is no service type"},
		{Item{Vars: map[string]string{"copy": "1"}}, "means something else"},
		{Item{Vars: map[string]string{"a b": "1"}}, "is no variable name"},
		{Item{Vars: map[string]string{"a": "${rec:url}"}}, "this very slot"},
		{Item{Vars: map[string]string{"a": "${host:name}"}}, "has no value here"},
		{Item{Vars: map[string]string{"a": "${file:/etc/passwd}"}}, "has no value here"},
		{Item{Vars: map[string]string{"a": "${slot:b}"}}, "has no value here"},
		{Item{Vars: map[string]string{"a": "$x"}}, "single $"},
		{Item{Vars: map[string]string{"a": strings.Repeat("x", MaxValueBytes+1)}}, "4096 at most"},
	} {
		err := Announcement{Chain: []string{"dist", "rec"}, Items: Items{"rec": tt.item}}.Check()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%+v: %v, want %q", tt.item, err, tt.want)
		}
	}
	if err := (Announcement{Chain: []string{"dist"}, Items: Items{"rec": {Type: "x"}}}).Check(); err == nil {
		t.Error("an item of a slot that is not in the chain was taken")
	}
}

func TestAnItemWaitsForWhatItsVariablesUse(t *testing.T) {
	t.Parallel()
	i := Item{Vars: map[string]string{"in": "${high:url}/x", "or": "${low:url:-none}", "key": "${stream:key}"}}
	if got := FormatNeeds(i.Needs()); got != "high:url" {
		t.Errorf("it waits for %q", got)
	}
}
