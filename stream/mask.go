package stream

import "regexp"

// urlPassword finds the password of a URL anywhere in a text.
var urlPassword = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:@"']*):([^\s/?#"']+)@`)

// MaskURLs replaces the passwords of all URLs in a text, so that it may be
// shown and logged.
func MaskURLs(text string) string { return urlPassword.ReplaceAllString(text, "$1:***@") }
