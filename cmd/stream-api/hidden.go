package main

import (
	"errors"
	"io/fs"
	"os"

	"stream-api/internal/confine"
)

// whyHidden adds to an error what a person who runs a command of ours from a
// hook or a child cannot see: that the file is there, and hidden.
func whyHidden(err error) string {
	if os.Getenv(confine.Env) != string(confine.Hide) || !errors.Is(err, fs.ErrPermission) {
		return ""
	}
	return "; this command runs under confine: hide, which hides the host's own files from children and hooks: " +
		"give --redis or STREAM_API_REDIS in the service's env, or write confine: none for the service"
}
