package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
)

// The templates of deploy/render, filled in from a real network, are read by the programs that they are for.
func TestTemplatesOfDeployAreReadByTheirPrograms(t *testing.T) {
	t.Parallel()
	nginx, promtool := realtest.Program(t, "nginx", "nginx"), realtest.Program(t, "promtool", "prometheus")
	checkzone := realtest.Program(t, "named-checkzone", "bind9-utils")
	redis := realtest.Redis(t)
	// Streams whose names mean something to nginx; an origin that is a name, one that is an address of each kind.
	work := `dist: {plugin: {name: exec, path: sleep, args: ["100000"], stop: {grace: 1s}}, stream_vars: {url: "http://dist.example:7999"}}, `
	for host, services := range map[string]string{
		"ber": work + `origin: {plugin: static, stream_vars: {url: "http://ber.example:8080"}}`,
		"dus": `origin: {plugin: static, stream_vars: {url: "http://[2001:db8::2]:8080"}}`,
		"ham": `origin: {plugin: static, stream_vars: {url: "http://192.0.2.3:8080"}}`,
	} {
		realrun.Start(t, host, redis.URL(), "lease: {ttl: 5s, beat: 1s}\nservices: {"+services+"}\n")
	}
	realtest.Await(t, time.Minute, "three hosts, and no hold", func() bool {
		status := realrun.Status(t, redis.URL())
		return len(status.Hosts) == 3 && status.Hold == nil
	})
	for _, key := range []string{"news", "default"} {
		if _, stderr, code := realrun.Command(t, redis.URL(), "streams", "add", key, "--chain", "dist"); code != 0 {
			t.Fatal(stderr)
		}
	}
	dir := t.TempDir()
	render := func(template, file string) string {
		path := filepath.Join(dir, file)
		if _, stderr, code := realrun.Command(t, redis.URL(), "render", "-t", "../../deploy/render/"+template, "-o", path); code != 0 {
			t.Fatalf("%s: exit %d: %s", template, code, stderr)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	check := func(name string, argv ...string) string {
		out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		return string(out)
	}

	var conf string
	realtest.Await(t, time.Minute, "both streams are distributed", func() bool {
		conf = render("nginx.conf.tmpl", "origins.conf")
		return strings.Count(conf, "dist.example:7999") == 2
	})
	for _, line := range []string{"server ber.example:8080;", "server [2001:db8::2]:8080 backup;", "server 192.0.2.3:8080 backup;"} {
		if !strings.Contains(conf, line) {
			t.Errorf("nginx is not told %s:\n%s", line, conf)
		}
	}
	// A name of an example is found nowhere; the rest is as on an edge.
	local := strings.ReplaceAll(conf, "ber.example", "127.0.0.1")
	if err := os.WriteFile(filepath.Join(dir, "origins.conf"), []byte(local), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := realtest.FreePort(t)
	whole := fmt.Sprintf("daemon off; pid %[1]s/pid; error_log stderr; events {}\nhttp {\n access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;\n"+
		" include %[1]s/origins.conf;\n server { listen 127.0.0.1:%[2]d; location /where { return 200 \"$dist\"; } location / { proxy_pass http://origin; } }\n}\n", dir, listen)
	main := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(main, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	check("nginx", nginx, "-t", "-p", dir, "-c", main)
	answers := realtest.Nginx(t, main, listen)
	for key, want := range map[string]string{"news": "dist.example:7999", "default": "dist.example:7999", "nothing": ""} {
		if got := answers("/where?stream=" + key); got != want {
			t.Errorf("nginx finds %s at %q, want %q", key, got, want)
		}
	}

	// What a host says of its page if that is for others, too.
	for host, page := range map[string]string{"ber": "http://ber.example:8080", "ham": "https://ham.example"} {
		if err := redis.Client().HSet(t.Context(), "host:"+host, "url", page).Err(); err != nil {
			t.Fatal(err)
		}
	}
	targets := render("prometheus.json.tmpl", "targets.json")
	const want = `[
  {"targets": ["ber.example:8080"], "labels": {"host": "ber", "__scheme__": "http"}},
  {"targets": ["ham.example:443"], "labels": {"host": "ham", "__scheme__": "https"}}
]
`
	if targets != want {
		t.Errorf("Prometheus is told:\n%s\nwant:\n%s", targets, want)
	}
	scrape := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(scrape, []byte("scrape_configs: [{job_name: stream-api, file_sd_configs: [{files: ["+dir+"/targets.json]}]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("promtool", promtool, "check", "config", scrape)

	zone := render("zone.tmpl", "live.example.org.zone")
	check("named-checkzone", checkzone, "live.example.org", filepath.Join(dir, "live.example.org.zone"))
	for _, line := range []string{"_origin._tcp IN SRV 10 10 8080 ber.example.", "origin IN AAAA 2001:db8::2", "origin IN A 192.0.2.3"} {
		if !strings.Contains(zone, line+"\n") {
			t.Errorf("the zone lacks %q:\n%s", line, zone)
		}
	}
	if again := render("zone.tmpl", "live.example.org.zone"); again != zone {
		t.Errorf("the zone differs though nothing changed:\n%s\n%s", zone, again)
	}
}

// The unit of an edge calls the program as it may be called.
func TestUnitOfRenderIsUnderstoodByTheProgram(t *testing.T) {
	t.Parallel()
	u := readUnit(t, "../../deploy/render/stream-api-render@.service")
	line := u["Service.ExecStart"]
	if len(line) != 1 || !strings.HasPrefix(line[0], "/usr/bin/stream-api render -f ") {
		t.Fatalf("it runs %q", line)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("a-token-of-this-test"), 0o600); err != nil {
		t.Fatal(err)
	}
	filled := strings.NewReplacer("${TEMPLATE}", "../../deploy/render/nginx.conf.tmpl", "${OUTPUT}", filepath.Join(dir, "out"), "${FROM}", fmt.Sprintf("http://127.0.0.1:%d", realtest.FreePort(t)),
		"${CREDENTIALS_DIRECTORY}", dir, "$RELOAD", "false", " -f ", " ").Replace(line[0])
	_, stderr, code := realrun.Command(t, "", strings.Fields(filled)[1:]...)
	if code != 1 || !strings.Contains(stderr, "connection refused") || strings.Contains(filled, "$") {
		t.Errorf("%s\nends with %d: %s", filled, code, stderr)
	}
}
