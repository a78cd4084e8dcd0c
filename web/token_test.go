package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestAProofOpensALogOfOneHostForAMinute(t *testing.T) {
	t.Parallel()
	h := handlerFor(t, Options{Listen: "0.0.0.0:8080", Token: testToken, Host: "ber"})
	const log = "/api/v1/logs/s1/dist?tail=5"
	const through = 502 // a recorder has no connection to send a log on
	now := time.Now()
	for name, c := range map[string]struct {
		method, path, proof string
		want                int
	}{
		"good":                   {"GET", log, Proof(testToken, "ber", log, now), through},
		"small letters":          {"GET", log, strings.ToLower(ProofScheme) + strings.TrimPrefix(Proof(testToken, "ber", log, now), ProofScheme), through},
		"clocks a bit apart":     {"GET", log, Proof(testToken, "ber", log, now.Add(40*time.Second)), through},
		"of another host":        {"GET", log, Proof(testToken, "ham", log, now), 401},
		"of another path":        {"GET", "/api/v1/logs/s2/dist?tail=5", Proof(testToken, "ber", log, now), 401},
		"of another query":       {"GET", "/api/v1/logs/s1/dist?tail=500", Proof(testToken, "ber", log, now), 401},
		"of another token":       {"GET", log, Proof(testToken+"x", "ber", log, now), 401},
		"of two minutes ago":     {"GET", log, Proof(testToken, "ber", log, now.Add(-2*time.Minute)), 401},
		"of two minutes to come": {"GET", log, Proof(testToken, "ber", log, now.Add(2*time.Minute)), 401},
		"for what is no log":     {"GET", "/api/v1/status", Proof(testToken, "ber", "/api/v1/status", now), 401},
		"for an action":          {"POST", log, Proof(testToken, "ber", log, now), 401},
		"empty":                  {"GET", log, ProofScheme, 401},
		"nonsense":               {"GET", log, ProofScheme + " x.y", 401},
	} {
		w := ask(h, asking{method: c.method, path: c.path, host: "any.example.org", head: map[string]string{"Authorization": c.proof}})
		if w.Code == 429 {
			t.Fatalf("%s: too many wrong ones", name)
		}
		if w.Code != c.want {
			t.Errorf("%s: %d %s; want %d", name, w.Code, w.Body, c.want)
		}
		if strings.Contains(c.proof, testToken) {
			t.Errorf("%s: the proof tells the token: %s", name, c.proof)
		}
		if c.want == 401 {
			h = handlerFor(t, Options{Listen: "0.0.0.0:8080", Token: testToken, Host: "ber"}) // none counts for the next
		}
	}
}

// guess sends a token from an address and gives the status.
func guess(h http.Handler, from, token string, form bool) int {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/metrics", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	if form {
		r = httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/login", strings.NewReader(url.Values{"token": {token}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://127.0.0.1:8080")
	}
	r.RemoteAddr = from
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func TestWrongTokensAreLimitedByAddressAndTheRightOneNever(t *testing.T) {
	t.Parallel()
	for _, form := range []bool{false, true} {
		t.Run(fmt.Sprintf("form=%v", form), func(t *testing.T) {
			h := handlerFor(t, Options{Listen: "0.0.0.0:8080", Token: testToken})
			wrong, right := 401, 200
			if form {
				wrong, right = 303, 303
			}
			late := 0
			for i := range 200 {
				// Each from another address of one network of 64 bits.
				if guess(h, fmt.Sprintf("[2001:db8:1:2::%x]:4711", i+1), "a guess", form) == 429 {
					late++
				}
			}
			if late < 150 {
				t.Errorf("%d of 200 guesses of one network have to wait", late)
			}
			for name, from := range map[string]string{"its neighbour": "[2001:db8:1:3::1]:4711", "another": "192.0.2.7:4711"} {
				if got := guess(h, from, "a guess", form); got != wrong {
					t.Errorf("the first wrong token of %s: %d; want %d", name, got, wrong)
				}
			}
			for range 20 {
				if got := guess(h, "[2001:db8:1:2::1]:4711", testToken, form); got != right {
					t.Fatalf("the right token from where guesses come: %d; want %d", got, right)
				}
			}
			for i := range 20 {
				late := guess(h, fmt.Sprintf("192.0.2.9:%d", 4711+i), "a guess", form) == 429
				if (i > 12) && !late {
					t.Errorf("guess %d of one address, each from another port, need not wait", i)
				}
			}
		})
	}
}

func TestAddressesRememberedAreBounded(t *testing.T) {
	t.Parallel()
	s := newStrikes(zerolog.Nop())
	for i := range strikesMax + 1000 {
		s.wrongToken(fmt.Sprintf("[2001:db8:%x:%x::1]:1", i>>8, i&255))
	}
	if len(s.last) > strikesMax {
		t.Errorf("%d addresses are remembered; at most %d", len(s.last), strikesMax)
	}
	if s.wrongToken("[2001:db9::1]:1") {
		t.Error("who comes when too many are remembered need not wait")
	}
}

func TestTheCookieIsOfTheHostForAWeekAndOfTLSAlone(t *testing.T) {
	t.Parallel()
	h := handlerFor(t, Options{Listen: "0.0.0.0:8080", Token: testToken, Host: "ber"})
	login := func(change func(*http.Request)) *http.Cookie {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/login", strings.NewReader(url.Values{"token": {testToken}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(r)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		cookies := w.Result().Cookies()
		if len(cookies) != 1 {
			t.Fatalf("%d cookies", len(cookies))
		}
		return cookies[0]
	}
	plain := login(func(*http.Request) {})
	if plain.Secure || plain.Name != "stream_api" || plain.Path != "" || !plain.HttpOnly || plain.SameSite != http.SameSiteLaxMode {
		t.Errorf("without TLS: %+v", plain)
	}
	if left := time.Until(plain.Expires); left > 7*24*time.Hour || left < 6*24*time.Hour {
		t.Errorf("it lasts %v; want a week", left)
	}
	end, proof, _ := strings.Cut(plain.Value, ".")
	mac := hmac.New(sha256.New, []byte(testToken))
	_, _ = mac.Write([]byte("stream-api pass " + end))
	if proof == hex.EncodeToString(mac.Sum(nil)) {
		t.Error("its key is the token itself, which can be guessed from it at leisure")
	}
	for name, change := range map[string]func(*http.Request){
		"our own TLS":     func(r *http.Request) { r.TLS = &tls.ConnectionState{} },
		"that of a proxy": func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") },
	} {
		if c := login(change); !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Name != "__Host-stream_api" || c.Path != "/" || c.Domain != "" {
			t.Errorf("with %s: %+v", name, c)
		}
	}
	for name, c := range map[string]struct {
		h    http.Handler
		want int
	}{"the same host": {h, 200}, "another host": {handlerFor(t, Options{Listen: "0.0.0.0:8080", Token: testToken, Host: "ham"}), 401}} {
		for _, as := range []string{"stream_api", "__Host-stream_api"} {
			if got := ask(c.h, asking{path: "/api/v1/status", head: map[string]string{"Cookie": as + "=" + plain.Value}}).Code; got != c.want {
				t.Errorf("the cookie %s at %s: %d; want %d", as, name, got, c.want)
			}
		}
	}
}
