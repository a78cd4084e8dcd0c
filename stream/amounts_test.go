package stream

import "testing"

// oddAmounts are what a hand may write where amounts are meant; each has none.
var oddAmounts = []string{"1", "[]", "null", `{"cpu":1.5}`, `{"cpu":-1}`, `{"cpu":01}`, `{"cpu":1000000001}`, `{"cpu":99999999999}`, `{"cpu":1,}`, `{"cpu":1}{}`,
	`{"cpu":1,"cpu":2}`, `{"Cpu":1}`, `{"":1}`, `{cpu:1}`, `{"cpu":"1"}`, `{"cpu":{}}`, "{", "cpu=1"}

func TestAmountsOfTheStoreAreReadStrictly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "{}": "", " { } ": "", `{"cpu":1500}`: `{"cpu":1500}`, "{ \"cpu\" : 1500 ,\n\"a_1\":0}": `{"a_1":0,"cpu":1500}`,
		`{"cpu":1000000000}`: `{"cpu":1000000000}`,
	} {
		got, err := DecodeAmounts(text)
		if err != nil || got.Encode() != want {
			t.Errorf("%q: %s, %v; want %s", text, got.Encode(), err, want)
		}
	}
	for _, text := range oddAmounts {
		if got, err := DecodeAmounts(text); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}

func TestAmountsAreWrittenAsPeopleDo(t *testing.T) {
	t.Parallel()
	for a, want := range map[Amount]string{0: "0", 1: "0.001", 1500: "1.5", 10: "0.01", 20000: "20", MaxAmount: "1000000"} {
		if a.String() != want {
			t.Errorf("%d thousandths: %s, want %s", a, a, want)
		}
		if back, err := ParseAmount(want); err != nil || back != a {
			t.Errorf("%s: %d, %v", want, back, err)
		}
	}
	for _, text := range []string{"", "-1", "1.", ".5", "1.0005", "01", "1e3", "0x1", "1000000.001", "10000000", "1,5"} {
		if a, err := ParseAmount(text); err == nil {
			t.Errorf("%q is %d", text, a)
		}
	}
}

func FuzzDecodeAmounts(f *testing.F) {
	f.Add(`{"cpu":1500,"nvenc":1000}`)
	for _, text := range oddAmounts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := DecodeAmounts(text)
		if err != nil {
			return
		}
		again, err := DecodeAmounts(a.Encode())
		if err != nil || again.Encode() != a.Encode() {
			t.Fatalf("%q: %s, then %s, %v", text, a.Encode(), again.Encode(), err)
		}
	})
}
