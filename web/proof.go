package web

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ProofScheme is the scheme of an Authorization that proves to know a host's
// token without telling it.
const ProofScheme = "Stream-API-Proof"

// proofFor is how far the clocks of who proves and who checks may differ, the
// way between them included.
const proofFor = time.Minute

// Proof is an Authorization for one GET of a log from one host, good for a
// minute. It may go to an address that somebody else named: whoever gets it
// learns neither the token nor anything that is of use elsewhere. path is the
// path and the query as they stand in the request's first line.
func Proof(token, host, path string, now time.Time) string {
	at := strconv.FormatInt(now.Unix(), 10)
	return ProofScheme + " " + at + "." + proofOf(derive(token, "proof", host), path, at)
}

func proofOf(key []byte, path, at string) string {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(at + "\n" + path)) // hashes do not fail
	return hex.EncodeToString(mac.Sum(nil))
}

// proven tells whether given proves that whoever asks knows the token.
func (g *gate) proven(r *http.Request, given string) bool {
	at, proof, _ := strings.Cut(given, ".")
	unix, err := strconv.ParseInt(at, 10, 64)
	if err != nil || r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, logsPath) {
		return false
	}
	if off := time.Since(time.Unix(unix, 0)); off.Abs() > proofFor {
		return false
	}
	return same(proof, proofOf(g.proofKey(), r.URL.RequestURI(), at))
}

// deriveRounds makes a guess of the token from what was derived of it cost some
// 20 ms; a token of 16 random characters stands without that, too.
const deriveRounds = 100_000

// derive makes a key of the token that is good for one purpose on one host.
func derive(token, purpose, host string) []byte {
	key, err := pbkdf2.Key(sha256.New, token, []byte("stream-api "+purpose+" "+host), deriveRounds, sha256.Size)
	if err != nil {
		panic(err) // the sizes are constants
	}
	return key
}
