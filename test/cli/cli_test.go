package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := realrun.Clean(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	binary := realrun.Binary(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			tb, ok := env.T().(testing.TB)
			if !ok {
				return fmt.Errorf("%T is no testing.TB", env.T())
			}
			redis := realtest.Redis(tb)
			env.Values[keyTB], env.Values[keyRedis], env.Values[keyHosts] = tb, redis, map[string]*realrun.Host{}
			env.Setenv("STREAM_API_REDIS", redis.URL())
			env.Setenv("REDIS_SOCKET", redis.Addr)
			env.Setenv("PATH", filepath.Dir(binary)+":"+env.Getenv("PATH"))
			env.Setenv("TERM", "dumb")
			for _, name := range []string{"PORT", "PORT2", "DEADPORT"} {
				env.Setenv(name, strconv.Itoa(realtest.FreePort(tb)))
			}
			return nil
		},
		Cmds: commands,
	})
}
