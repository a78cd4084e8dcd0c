package stream

import (
	"slices"
	"strings"
	"testing"
)

func TestAJobIsAnItemThatIsNoSlot(t *testing.T) {
	t.Parallel()
	m := Items{"record": {Type: "rec"}, "upload": {Of: "record", Copies: 1, Type: "upload"}, "mail": {Of: "upload", Host: Selector{Name: AnyHost}}, "remux": {Of: "record", Each: EachItem}}
	if got := m.Jobs(); !slices.Equal(got, []string{"mail", "remux", "upload"}) {
		t.Errorf("jobs are %v", got)
	}
	if got := m.JobsOf("record"); !slices.Equal(got, []string{"remux", "upload"}) {
		t.Errorf("jobs of record are %v", got)
	}
	if m.IsJob("record") || !m.IsJob("mail") || m.IsJob("nothing") {
		t.Error("what has of is a job, and nothing else")
	}
	if m["mail"].Bound() || !m["upload"].Bound() || m["record"].Bound() {
		t.Error("a job without a host is bound to that of its files")
	}
	const want = `{"mail":{"host":"any","of":"upload"},"record":{"type":"rec"},"remux":{"each":"item","of":"record"},"upload":{"of":"record"}}`
	if got := m.Canonical().Encode(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := DecodeItems(want).In(nil).Encode(); got != `{"mail":{"host":"any","of":"upload"},"remux":{"each":"item","of":"record"},"upload":{"of":"record"}}` {
		t.Errorf("of slots that are switched off: %s", got)
	}
	if err := (Announcement{Chain: []string{"record"}, Items: m.Canonical()}).Check(); err != nil {
		t.Errorf("refused: %v", err)
	}
}

func TestARulesChainReplacesTheSourcesWithItsJobs(t *testing.T) {
	t.Parallel()
	source := Items{"record": {Type: "rec"}, "upload": {Of: "record", Vars: map[string]string{"a": "1"}}}
	for _, tt := range []struct {
		chain string
		items Items
		slots string
		want  string
	}{
		{"record", nil, "record", `{"record":{"type":"rec"}}`},
		{"record upload", nil, "record", `{"record":{"type":"rec"},"upload":{"vars":{"a":"1"},"of":"record"}}`},
		{"record", Items{"upload": {Of: "record"}}, "record", `{"record":{"type":"rec"},"upload":{"of":"record"}}`},
		{"record upload", Items{"upload": {Type: "put"}}, "record upload", `{"record":{"type":"rec"},"upload":{"type":"put"}}`},
	} {
		slots, items := tt.items.WithJobs(strings.Fields(tt.chain), source)
		over := items.Over(source) // as rules are stored
		if got := over.Under(slots, source).Encode(); got != tt.want || strings.Join(slots, " ") != tt.slots {
			t.Errorf("%s with %s is %v with %s; want %s with %s", tt.chain, tt.items.Encode(), slots, got, tt.slots, tt.want)
		}
	}
}

func TestJobsThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		items Items
		want  string
	}{
		{Items{"j": {Of: "rec", Vars: map[string]string{"a": "${of:url}${stream:x}${source:y}"}, Host: Selector{Labels: map[string]Values{"site": {"ham"}}}}}, ""},
		{Items{"j": {Of: "none"}}, "neither a slot nor a job"},
		{Items{"j": {Of: "j"}}, "of itself"},
		{Items{"j": {Of: "k"}, "k": {Of: "j"}}, "one of them has to be of a slot"},
		{Items{"j": {Of: "k"}, "k": {Of: "l"}, "l": {Of: "k"}}, "one of them has to be of a slot"},
		{Items{"rec": {Of: "dist"}}, "is a slot of this chain, too"},
		{Items{"J": {Of: "rec"}}, "is no service type"},
		{Items{"j": {Of: "Rec"}}, "of: "},
		{Items{"j": {Of: "rec"}, "k": {Of: "j", Each: EachItem}}, "only slots write items"},
		{Items{"j": {Of: "rec", Each: EachHost}}, "is neither"},
		{Items{"j": {Of: "rec", Copies: 2}}, "copies says nothing of a job"},
		{Items{"j": {Of: "rec", With: "rec"}}, "with says nothing of a job"},
		{Items{"j": {Of: "rec", Vars: map[string]string{"a": "${rec:url}"}}}, "${of:url} is what the ended one said"},
		{Items{"j": {Of: "rec", Vars: map[string]string{"a": "${env:HOME}"}}}, "has no value here"},
		{Items{"rec": {Each: EachItem}}, "is for jobs"},
		{Items{"rec": {Host: Selector{Name: AnyHost}}}, "is for jobs"},
	} {
		err := tt.items.Check([]string{"dist", "rec"})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.items.Encode(), err, tt.want)
		}
	}
}
