package sources

import (
	"net/url"
	"strings"
)

// CanonicalURL is the form in which URLs of streams are compared: no
// credentials, no fragment, no default port, no slash at the end, scheme and
// host in small letters, and http for icecast, which is how ffmpeg names the
// same mount when it publishes. Empty for what is no URL.
func CanonicalURL(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	scheme := strings.ToLower(u.Scheme)
	if scheme == "icecast" {
		scheme = "http"
	}
	host := strings.ToLower(u.Host)
	if port, ok := map[string]string{"http": "80", "https": "443", "rtmp": "1935", "rtsp": "554"}[scheme]; ok {
		host = strings.TrimSuffix(host, ":"+port)
	}
	canonical := url.URL{Scheme: scheme, Host: host, Path: strings.TrimRight(u.Path, "/"), RawQuery: u.RawQuery}
	return canonical.String()
}
