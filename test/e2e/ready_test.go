package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
)

// startsEnv is how many dependants are started in the test below; the default is for every day.
const startsEnv = "STREAM_API_TEST_READY_STARTS"

// nginxConf writes the configuration of a real nginx that serves a directory at a free port.
func nginxConf(t *testing.T, root string) (conf string, port int) {
	t.Helper()
	return nginxServer(t, "", fmt.Sprintf("root %s; autoindex on;", root))
}

// nginxServer writes the configuration of a real nginx with one server at a free port, and more beside it.
func nginxServer(t *testing.T, more, server string) (conf string, port int) {
	t.Helper()
	port = realtest.FreePort(t)
	dir, err := os.MkdirTemp("", "sa-nginx-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	conf = filepath.Join(dir, "nginx.conf")
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	text := fmt.Sprintf(`daemon off; %s worker_processes 1; pid %[2]s/pid; error_log %[2]s/error.log;
events { worker_connections 64; }
http { access_log off; client_body_temp_path %[2]s; proxy_temp_path %[2]s; fastcgi_temp_path %[2]s; uwsgi_temp_path %[2]s; scgi_temp_path %[2]s;
  %[5]s
  server { listen 127.0.0.1:%[3]d; %[4]s } }
`, user, dir, port, server, more)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return conf, port
}

// webRoot serves a directory at a free port of this machine by a real nginx.
func webRoot(t *testing.T, root string) (base string) {
	t.Helper()
	conf, port := nginxConf(t, root)
	realtest.Nginx(t, conf, port)
	return fmt.Sprintf("http://127.0.0.1:%d", port)
}

// bash is a service that runs a script.
func bash(name, script, more string, env ...string) string {
	text := fmt.Sprintf("  %s:\n    plugin:\n      name: exec\n      path: bash\n      args: [-c, %q]\n      restart: {delay: 100ms, max_delay: 200ms, give_up_after: 0}\n", name, strings.ReplaceAll(script, "$", "$$"))
	if len(env) > 0 {
		text += "      env: {" + strings.Join(env, ", ") + "}\n"
	}
	return text + more
}

const encode = `ffmpeg -nostdin -loglevel error -re -f lavfi -i testsrc=size=160x120:rate=5 -c:v libx264 -preset ultrafast -tune zerolatency -g 5 `

// A dependant starts when the output it needs answers, and never before: a directory of HLS behind nginx, a port of
// Icecast, ffmpeg's progress, a file, a command. Each upstream publishes where it will be from the start.
func TestADependantNeverStartsBeforeTheOutputAnswers(t *testing.T) {
	t.Parallel()
	for name, debian := range map[string]string{"ffmpeg": "ffmpeg", "nginx": "nginx", "icecast2": "icecast2", "curl": "curl"} {
		realtest.Program(t, name, debian)
	}
	streams := 1
	if text := os.Getenv(startsEnv); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		streams = max(n/5, 1)
	}
	root, notes := t.TempDir(), filepath.Join(t.TempDir(), "notes")
	base := webRoot(t, root)
	owner := ""
	if os.Geteuid() == 0 {
		owner = "<security><changeowner><user>nobody</user><group>nogroup</group></changeowner></security>"
		for dir := root; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	late := `sleep 0.$((RANDOM % 9)); mkdir -p $OUT; rm -f $OUT/*; sleep 0.$((RANDOM % 9)); `
	icecast := `printf '<icecast><authentication><source-password>a</source-password><admin-user>a</admin-user><admin-password>a</admin-password></authentication><listen-socket><port>'$PORT'</port><bind-address>127.0.0.1</bind-address></listen-socket><paths><basedir>/usr/share/icecast2</basedir><logdir>'$OUT'</logdir><webroot>/usr/share/icecast2/web</webroot><adminroot>/usr/share/icecast2/admin</adminroot></paths><logging><errorlog>-</errorlog><accesslog>-</accesslog></logging>` + owner + `</icecast>' > $OUT/conf; chmod -R a+rwX $OUT; exec icecast2 -c $OUT/conf`
	kinds := []struct{ name, script, ready, answers string }{
		{"http", late + encode + `-f hls -hls_time 1 -hls_list_size 4 $OUT/live.m3u8`, `{http: "` + base + `/${stream:key}-http/live.m3u8"`, `curl -fsS -o /dev/null ` + base + `/$STREAM_API_STREAM-http/live.m3u8`},
		{"tcp", late + icecast, `{tcp: "127.0.0.1:${place:port}"`, `(exec 3<>/dev/tcp/127.0.0.1/$WHERE)`},
		{"progress", late + encode + `-progress $STREAM_API_PROGRESS -flush_packets 1 -f mpegts $OUT/out.ts`, `{progress: true`, `[ -s $OUT/out.ts ]`},
		{"file", late + encode + `-flush_packets 1 -f mpegts $OUT/out.ts`, `{file: "` + root + `/${stream:key}-file/out.ts"`, `[ -s $OUT/out.ts ]`},
		{"command", late + encode + `-flush_packets 1 -f mpegts $OUT/out.ts`, `{command: [test, -s, "` + root + `/${stream:key}-command/out.ts"]`, `[ -s $OUT/out.ts ]`},
	}
	services, chain := "services:\n", []string{}
	for _, k := range kinds {
		out := fmt.Sprintf(`OUT: "%s/${stream:key}-%s"`, root, k.name)
		env, more := []string{out}, fmt.Sprintf("      ready: %s, interval: 50ms, timeout: 2m}\n    stream_vars: {where: x}\n", k.ready)
		if k.name == "tcp" {
			env = append(env, `PORT: "${place:port}"`)
			more = strings.Replace(more, "where: x", `where: "${place:port}"`, 1) + "    places: ["
			for i := range streams {
				more += fmt.Sprintf("%s{port: %q}", strings.Repeat(", ", min(i, 1)), strconv.Itoa(realtest.FreePort(t)))
			}
			more += "]\n"
		}
		services += bash("up_"+k.name, k.script, more, env...)
		services += bash("dep_"+k.name, `if `+k.answers+`; then echo ok $SLOT >> $NOTES; else echo early $SLOT >> $NOTES; fi; exec sleep 1000`, "",
			out, `WHERE: "${up_`+k.name+`:where}"`, "SLOT: "+k.name, "NOTES: "+notes)
		chain = append(chain, "up_"+k.name, "dep_"+k.name)
	}
	redis, list := realtest.Redis(t), newListing(t)
	realrun.Start(t, "a", redis.URL(), quickLease+list.source(strings.Join(chain, ", "))+services)
	started := func() (starts, early int) {
		text, err := os.ReadFile(notes)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return strings.Count(string(text), "\n"), strings.Count(string(text), "early")
	}
	// A few at once, as each has four ffmpegs.
	for from := 0; from < streams; from += 2 {
		var keys []string
		for i := from; i < min(from+2, streams); i++ {
			keys = append(keys, fmt.Sprintf("s%d", i))
		}
		list.set(keys...)
		want := 5 * min(from+2, streams)
		realtest.Await(t, 3*time.Minute, "all dependants of "+strings.Join(keys, " ")+" start", func() bool { n, _ := started(); return n >= want })
	}
	starts, early := started()
	t.Logf("%d starts, %d early", starts, early)
	if early > 0 {
		text, _ := os.ReadFile(notes)
		t.Errorf("%d of %d dependants started before the output answered:\n%s", early, starts, text)
	}
}
