package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"stream-api/internal/regular"
	"stream-api/stream"
)

// maxSecretBytes is more than any token or password needs; it keeps a
// mistyped path such as /dev/zero from filling the memory.
const maxSecretBytes = 64 << 10

// Lookup finds what is known without a stream: ${host:…}, ${env:…} and
// ${file:…}, the last two read from this machine at each call.
func (c *Config) Lookup(ref stream.Ref) (value string, ok bool, err error) {
	if ref.Scope != "host" {
		return lookupSecret(ref)
	}
	if ref.Name == "name" {
		return c.Network.Name, true, nil
	}
	if value, ok = c.Network.Vars[ref.Name]; !ok {
		value, ok = c.Network.Labels[ref.Name]
	}
	return value, ok, nil
}

// Resolve fills in a template that needs no stream: network.redis, web.token,
// or a source's url, user, password and command. A missing value is an error
// that wraps stream.ErrMissing. The result may be a secret.
func (c *Config) Resolve(t stream.Template) (string, error) {
	return t.Resolve(c.Lookup)
}

// Redis is the parsed network.redis with secrets filled in.
func (c *Config) Redis() (Redis, error) {
	text, err := c.Resolve(c.Network.Redis)
	if err != nil {
		return Redis{}, fmt.Errorf("network.redis: %w", err)
	}
	r, err := ParseRedis(text)
	if err != nil {
		return Redis{}, fmt.Errorf("network.redis: %w", err)
	}
	return r, nil
}

// WebToken is what writing through the web page needs; empty if none is
// configured. An empty file or variable is an error, never "no token".
func (c *Config) WebToken() (string, error) {
	var token string
	var err error
	switch {
	case c.Web.TokenFile != "":
		token, err = readSecret(c.Web.TokenFile)
	case c.Web.Token.String() != "":
		token, err = c.Resolve(c.Web.Token)
	default:
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("web token: %w", err)
	}
	if token == "" {
		return "", errors.New("web token: it is empty")
	}
	return token, nil
}

func lookupSecret(ref stream.Ref) (value string, ok bool, err error) {
	switch ref.Scope {
	case "env":
		value, ok = os.LookupEnv(ref.Name)
	case "file":
		value, err = readSecret(ref.Name)
		if errors.Is(err, os.ErrNotExist) {
			return "", false, nil
		}
		ok = err == nil
	}
	return value, ok, err
}

// readSecret is the content of a file without the newline at its end and
// without a byte order mark.
func readSecret(path string) (string, error) {
	data, err := regular.ReadGiven(path, maxSecretBytes)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(strings.TrimPrefix(string(data), stream.ByteOrderMark), "\r\n"), nil
}

// checkHere checks a template's text with the values of this machine. If one
// is missing nothing can be said: it may be there when the host starts. Of a
// text made from secrets only the fact is told, as the reason could quote it.
func checkHere(s string, check func(string) error) error {
	t, err := stream.ParseTemplate(s)
	if err != nil {
		return err
	}
	text, err := t.Resolve(lookupSecret)
	if err != nil {
		return nil
	}
	err = check(text)
	if err != nil && len(t.Refs()) > 0 {
		return errors.New("with the values that this machine has for the ${…} it cannot be used as this URL")
	}
	return err
}
