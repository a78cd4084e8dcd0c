package chaos

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realtest"
)

// A writer that vanished without a word keeps its mount until Icecast's
// source-timeout, or until killsource.
func TestKillsourceFreesAMountFromItsDeadWriter(t *testing.T) {
	t.Parallel()
	sink := realtest.Icecast(t)
	first := sink.Publish("/s000")
	realtest.Await(t, time.Minute, "the first writer is on air", func() bool { return strings.Contains(page(sink.URL+"/status-json.xsl"), "/s000") })
	first.Freeze()
	second := sink.Publish("/s000")
	realtest.Await(t, time.Minute, "the second writer is refused", func() bool { return !second.Running() })
	if !strings.Contains(second.Complaint(), "403") {
		t.Fatalf("the second writer said %q; want a 403", second.Complaint())
	}

	freed := time.Now()
	if code := killsource(t, sink, "/s000"); code != http.StatusOK {
		t.Fatalf("killsource answers %d", code)
	}
	realtest.Await(t, time.Minute, "the mount is free", func() bool { return !strings.Contains(page(sink.URL+"/status-json.xsl"), "/s000") })
	lasted("Icecast's killsource → mount free", time.Since(freed))
	third := sink.Publish("/s000")
	realtest.Await(t, time.Minute, "the third writer is on air", func() bool { return strings.Contains(page(sink.URL+"/status-json.xsl"), "/s000") })
	if !third.Running() {
		t.Errorf("the third writer ended: %s", third.Complaint())
	}
	// A hook before the first start finds no mount: that is no error of curl.
	if code := killsource(t, sink, "/nobody"); code != http.StatusBadRequest {
		t.Errorf("killsource of a mount that is not there answers %d; want 400", code)
	}
}

func killsource(t *testing.T, sink *realtest.IcecastServer, mount string) int {
	t.Helper()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/admin/killsource?mount=%s", sink.URL, url.QueryEscape(mount)), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(sink.AdminUser, sink.AdminPassword)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}
