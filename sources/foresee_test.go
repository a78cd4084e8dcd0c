package sources

import (
	"strconv"
	"testing"
	"time"

	"stream-api/store"
)

// TestForesightIsWhatTheStoreDecides: who looks before a file is taken up is told what
// would come of it. lua/rules.lua decides that, Foresee foretells it without writing;
// one table of cases holds for both.
func TestForesightIsWhatTheStoreDecides(t *testing.T) {
	t.Parallel()
	file := func(version int64, chain ...string) Config {
		return Config{Name: "s", Type: "icecast", URL: "http://127.0.0.1:1", Chain: chain, RulesVersion: version,
			Interval: time.Second, Timeout: time.Second, StallAfter: time.Minute, GoneAfter: time.Minute}
	}
	digest := func(c Config) string { r := c.rules(); return RulesDigest(r.Encode()) }
	const inForce = 5
	old, other := file(0, "enc"), file(0, "rec")
	for name, c := range map[string]struct {
		file   Config
		agreed agreement // what was in force when the file last said the same
		same   bool
		word   string
	}{
		"says the same":                         {file(0, "enc"), agreement{}, true, store.RulesAgree},
		"says the same and an earlier version":  {file(4, "enc"), agreement{}, true, store.RulesAgree},
		"says the same and a later version":     {file(6, "enc"), agreement{}, true, store.RulesWon},
		"was never made from what is in force":  {file(0, "rec"), agreement{}, false, store.RulesDiffer},
		"was made from what is in force":        {file(0, "rec"), agreement{inForce, digest(old)}, false, store.RulesWon},
		"was made from what was in force once":  {file(0, "rec"), agreement{inForce - 1, digest(old)}, false, store.RulesDiffer},
		"was made from others of that version":  {file(0, "rec"), agreement{inForce, digest(other)}, false, store.RulesDiffer},
		"asks for a later version":              {file(6, "rec"), agreement{}, false, store.RulesWon},
		"asks for the version in force":         {file(5, "rec"), agreement{}, false, store.RulesDiffer},
		"asks for an earlier one":               {file(4, "rec"), agreement{}, false, store.RulesDiffer},
		"asks for an earlier one, made from it": {file(4, "rec"), agreement{inForce, digest(old)}, false, store.RulesWon},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			must(w.store.MarkDirty(t.Context(), "k")) // the first script opens a hold
			must(w.redis.Client().HSet(t.Context(), "reaper", "until", 0).Err())
			now := time.Now().UnixMilli()
			rules := old.rules()
			in := store.Ruling{Version: inForce, Digest: digest(old), By: "ber", At: now - 1000, Text: rules.Encode()}
			must(w.redis.Client().HSet(t.Context(), "source:s", "rules", in.Text, "rules_version", strconv.Itoa(inForce), "rules_digest", in.Digest, "rules_by", in.By, "rules_at", in.At).Err())

			m := &Memory{dir: t.TempDir()}
			must(m.save("s", rulesMemory{InForce: in, Agreed: c.agreed}))
			told, err := Foresee(c.file, in, m)
			must(err)

			own := c.file.rules()
			answer, err := w.store.OfferRules(t.Context(), store.RulesOffer{
				Source: "s", Host: "ham", Info: store.SourceInfo{Type: "icecast", URL: c.file.URL}, Digest: digest(c.file), Text: own.Encode(),
				Wants: c.file.RulesVersion, Fresh: true, Base: store.Ruling{Version: c.agreed.Version, Digest: c.agreed.Digest}, Remembered: in, What: "w",
			})
			must(err)
			if answer.Word != c.word {
				t.Errorf("the store says %s; want %s", answer.Word, c.word)
			}
			if told.Same != c.same || !told.Same && told.Wins != (answer.Word == store.RulesWon) {
				t.Errorf("foretold: %+v; the store says %s", told, answer.Word)
			}
		})
	}
}
