package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"stream-api/stream"
)

var schemePattern = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

// Embedded is the network.redis that needs no server.
const Embedded = "embedded"

// Redis is where the store is.
type Redis struct {
	// Embedded: a store inside this process; all else is empty.
	Embedded bool
	// Network is tcp or unix.
	Network string
	// Master is the name of the master that Sentinels watch; empty without
	// Sentinel.
	Master string
	// Addrs is one host:port or socket path, or those of the Sentinels.
	Addrs    []string
	Username string
	Password string
	// SentinelUsername and SentinelPassword are what the Sentinels are told; as
	// the servers are unless the URL says otherwise.
	SentinelUsername string
	SentinelPassword string
	DB               int
	TLS              bool
}

// ParseRedis reads the forms
//
//	redis://[user:password@]host[:6379][/db]     rediss:// with TLS
//	unix://[user:password@]/path/to.sock[?db=n]
//	redis+sentinel://[user:password@]master@host[:26379][,…][/db]
//	                                             rediss+sentinel:// with TLS;
//	                                             ?sentinel_username=… and ?sentinel_password=…,
//	                                             either of which may be empty, for
//	                                             Sentinels that are told others
//	embedded
//
// Special characters of user and password are percent-encoded. Errors never
// repeat the password.
func ParseRedis(text string) (Redis, error) {
	if text == Embedded {
		return Redis{Embedded: true}, nil
	}
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return Redis{}, fmt.Errorf("%s is no Redis URL: redis://, rediss://, unix://, redis+sentinel://, or the word %s", stream.Quote(maskURL(text)), Embedded)
	}
	r := Redis{Network: "tcp", TLS: strings.HasPrefix(scheme, "rediss")}
	var err error
	switch scheme {
	case "redis", "rediss":
		err = r.parseServer(rest)
	case "unix":
		err = r.parseSocket(rest)
	case "redis+sentinel", "rediss+sentinel":
		err = r.parseSentinels(rest)
	default:
		if !schemePattern.MatchString(scheme) {
			return Redis{}, errors.New("what stands before :// is no scheme; write redis://, rediss://, unix:// or redis+sentinel://")
		}
		err = fmt.Errorf("%s:// is no scheme of Redis%s", scheme, suggest(scheme, []string{"redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel"}))
	}
	if err != nil {
		return Redis{}, err
	}
	return r, nil
}

func (r *Redis) parseServer(rest string) error {
	authority, err := r.cutDB(rest)
	if err != nil {
		return err
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if err := r.credentials(authority[:at]); err != nil {
			return err
		}
		authority = authority[at+1:]
	}
	addr, err := address(authority, "6379")
	r.Addrs = []string{addr}
	return err
}

func (r *Redis) parseSocket(rest string) error {
	r.Network = "unix"
	path, query, _ := strings.Cut(rest, "?")
	// What stands before the path is for credentials; the path may hold '@'.
	if slash := strings.IndexByte(path, '/'); slash > 0 && path[slash-1] == '@' {
		if err := r.credentials(path[:slash-1]); err != nil {
			return err
		}
		path = path[slash:]
	}
	if !strings.HasPrefix(path, "/") || path == "/" {
		return errors.New("a socket is written unix:///path/to.sock: the path must be absolute")
	}
	r.Addrs = []string{path}
	if query == "" {
		return nil
	}
	db, found := strings.CutPrefix(query, "db=")
	if !found {
		return errors.New("a socket's URL takes ?db=n only (in a password write %3F for ?)")
	}
	return r.setDB(db)
}

func (r *Redis) parseSentinels(rest string) error {
	rest, query, others := strings.Cut(rest, "?")
	authority, err := r.cutDB(rest)
	if err != nil {
		return err
	}
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return errors.New("the master's name is missing: redis+sentinel://master@host1:26379,host2:26379/0")
	}
	master, hosts := authority[:at], authority[at+1:]
	if i := strings.LastIndexByte(master, '@'); i >= 0 {
		if err := r.credentials(master[:i]); err != nil {
			return err
		}
		master = master[i+1:]
	}
	if master == "" || strings.Contains(master, ":") {
		return errors.New("the master's name stands before the hosts, after user and password if there are any: redis+sentinel://master@host1:26379,host2:26379/0")
	}
	r.Master = master
	for host := range strings.SplitSeq(hosts, ",") {
		addr, err := address(host, "26379")
		if err != nil {
			return err
		}
		r.Addrs = append(r.Addrs, addr)
	}
	r.SentinelUsername, r.SentinelPassword = r.Username, r.Password
	if others {
		return r.sentinelCredentials(query)
	}
	return nil
}

func (r *Redis) sentinelCredentials(query string) error {
	values, err := url.ParseQuery(query)
	for name := range values {
		if name != "sentinel_username" && name != "sentinel_password" {
			err = errors.New("unknown")
		}
	}
	if err != nil {
		return errors.New("after the ? stand only sentinel_username= and sentinel_password=, percent-encoded (in a password before it write %3F for ?)")
	}
	r.SentinelUsername, r.SentinelPassword = values.Get("sentinel_username"), values.Get("sentinel_password")
	if r.SentinelUsername != "" && r.SentinelPassword == "" {
		return errors.New("sentinel_username without sentinel_password")
	}
	return nil
}

// cutDB takes the database from the end.
func (r *Redis) cutDB(rest string) (authority string, err error) {
	if strings.ContainsAny(rest, "?#") {
		return "", errors.New("?… and #… are not known here (in a password write %3F and %23)")
	}
	// A slash in a password must be percent-encoded, so the first is ours.
	authority, db, found := strings.Cut(rest, "/")
	if !found || db == "" {
		return authority, nil
	}
	return authority, r.setDB(db)
}

func (r *Redis) setDB(text string) error {
	db, err := strconv.Atoi(text)
	if err != nil || db < 0 || db > 1<<20 || text[0] == '+' {
		return errors.New("what follows the address must be the number of a database, such as /0")
	}
	r.DB = db
	return nil
}

func (r *Redis) credentials(text string) error {
	user, password, _ := strings.Cut(text, ":")
	var err, err2 error
	r.Username, err = url.PathUnescape(user)
	r.Password, err2 = url.PathUnescape(password)
	if err != nil || err2 != nil {
		return errors.New("user or password has a wrong percent-encoding (write % as %25)")
	}
	if r.Username != "" && r.Password == "" {
		return errors.New("a user without a password; a password alone has a : before it and an @ after it")
	}
	return nil
}

// address completes a host by its port, and checks both.
func address(text, defaultPort string) (string, error) {
	host, port := text, defaultPort
	if strings.Contains(text, ":") && !strings.HasSuffix(text, "]") {
		var err error
		if host, port, err = net.SplitHostPort(text); err != nil {
			return "", errors.New("what follows the @, if there is one, is no host:port (an IPv6 address stands in [ ])")
		}
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if host == "" {
		return "", errors.New("the host is missing")
	}
	// Service names of compose files have '_', so CheckHost is too strict.
	if strings.ContainsAny(host, " @/\\\x00\t\n\"'") {
		return "", fmt.Errorf("%s is no host name", stream.Quote(host))
	}
	if !validPort(port) {
		// It is not repeated: it may be a password whose @host was forgotten.
		return "", errors.New("what follows the host must be a port, a number from 1 to 65535")
	}
	return net.JoinHostPort(host, port), nil
}

func validPort(s string) bool {
	port, err := strconv.Atoi(s)
	return err == nil && port >= 1 && port <= 65535 && s[0] != '+'
}

// splitListen checks host:port and returns the host; port 0 is any free one.
func splitListen(s string) (host string, err error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", fmt.Errorf("%s is no address to listen on: write host:port, such as 127.0.0.1:8080", stream.Quote(s))
	}
	if port != "0" && !validPort(port) {
		return "", fmt.Errorf("%s: the port must be a number from 0 to 65535", stream.Quote(s))
	}
	if host != "" {
		if err := stream.CheckHost(host); err != nil {
			return "", err
		}
	}
	return host, nil
}

func checkRedis(s string) error {
	_, err := ParseRedis(s)
	return err
}
