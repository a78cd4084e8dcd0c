package realtest

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// NginxRTMPServer is a real nginx with the rtmp module of one test. It has the
// applications live and other.
type NginxRTMPServer struct {
	RTMPURL string // rtmp://127.0.0.1:<port>
	StatURL string // http://127.0.0.1:<port>/stat

	t   testing.TB
	dir string
	run *process
}

// NginxOptions are those of NginxRTMPWith.
type NginxOptions struct {
	Workers int // worker processes; 0: 1
	// Live are further directives of the application live, such as
	// "exec_publish …;".
	Live string
}

// NginxRTMP starts an nginx with the rtmp module on free ports; it ends with
// the test. If hook is not empty, its publishers are told to that URL by
// on_publish and on_publish_done.
func NginxRTMP(t testing.TB, hook string) *NginxRTMPServer {
	t.Helper()
	if hook != "" {
		hook = fmt.Sprintf("on_publish %s; on_publish_done %s;", hook, hook)
	}
	return NginxRTMPWith(t, NginxOptions{Live: hook})
}

// NginxRTMPWith is NginxRTMP with other options.
func NginxRTMPWith(t testing.TB, o NginxOptions) *NginxRTMPServer {
	t.Helper()
	module := "/usr/lib/nginx/modules/ngx_rtmp_module.so"
	if _, err := os.Stat(module); err != nil {
		t.Fatalf("nginx has no rtmp module, and this test needs a real one: apt-get install libnginx-mod-rtmp (%v)", err)
	}
	nginx := find(t, "nginx", "libnginx-mod-rtmp")
	rtmp, web := FreePort(t), FreePort(t)
	s := &NginxRTMPServer{
		RTMPURL: fmt.Sprintf("rtmp://127.0.0.1:%d", rtmp),
		StatURL: fmt.Sprintf("http://127.0.0.1:%d/stat", web),
		t:       t, dir: directory(t, "nginx"),
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // the directory is ours alone
	}
	conf := fmt.Sprintf(`load_module %s;
daemon off; %s worker_processes %[7]d; pid %[3]s/pid; error_log %[3]s/error.log notice;
events { worker_connections 256; }
rtmp {
  server {
    listen 127.0.0.1:%[4]d;
    application live { live on; %[6]s }
    application other { live on; }
  }
}
http {
  access_log off;
  client_body_temp_path %[3]s; proxy_temp_path %[3]s; fastcgi_temp_path %[3]s; uwsgi_temp_path %[3]s; scgi_temp_path %[3]s;
  server { listen 127.0.0.1:%[5]d; location /stat { rtmp_stat all; } }
}
`, module, user, s.dir, rtmp, web, o.Live, max(o.Workers, 1))
	path := filepath.Join(s.dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		t.Fatalf("configuration of nginx: %v", err)
	}
	var err error
	if s.run, err = start(exec.Command(nginx, "-p", s.dir, "-c", path)); err != nil {
		t.Fatalf("start nginx: %v", err)
	}
	t.Cleanup(func() {
		// TERM lets the master end its worker.
		if err := s.run.end(syscall.SIGTERM); err != nil {
			t.Errorf("end nginx: %v", err)
		}
	})
	awaitPage(t, s.run, s.StatURL, "nginx", s.Log)
	return s
}

// Publish starts a publisher of app/name, such as "live/s1"; see Publish.
func (s *NginxRTMPServer) Publish(name string, options ...string) *Publisher {
	s.t.Helper()
	return Publish(s.t, s.RTMPURL+"/"+name, append([]string{"-f", "flv"}, options...)...)
}

// Log is what the server wrote so far.
func (s *NginxRTMPServer) Log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "error.log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Nginx runs an nginx with a configuration file of the test, which listens on that port, until the test ends. What it
// gives asks it for a path.
func Nginx(t testing.TB, conf string, port int) func(path string) string {
	t.Helper()
	run, err := start(exec.Command(find(t, "nginx", "nginx"), "-p", filepath.Dir(conf), "-c", conf))
	if err != nil {
		t.Fatalf("start nginx: %v", err)
	}
	t.Cleanup(func() {
		// TERM lets the master end its worker.
		if err := run.end(syscall.SIGTERM); err != nil {
			t.Errorf("end nginx: %v", err)
		}
	})
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	get := func(path string) (string, error) {
		resp, err := http.Get(base + path)
		if err != nil {
			return "", err
		}
		defer func() { _ = resp.Body.Close() }() // only read from
		text, err := io.ReadAll(resp.Body)
		return string(text), err
	}
	Await(t, startLimit, "nginx listens", func() bool {
		_, err := get("/")
		return err == nil
	})
	return func(path string) string {
		t.Helper()
		text, err := get(path)
		if err != nil {
			t.Fatalf("ask nginx for %s: %v", path, err)
		}
		return text
	}
}
