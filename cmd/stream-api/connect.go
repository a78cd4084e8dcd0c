package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"stream-api/config"
	"stream-api/store"
	"stream-api/stream"
)

// systemConfig is where a packaged host keeps its file.
const systemConfig = "/etc/stream-api/config.yaml"

const defaultRedis = "redis://127.0.0.1:6379/0"

// commandTimeout bounds every wait of a command for the store.
const commandTimeout = 5 * time.Second

// address finds the store: the flag, the environment, the system's file, the
// default; and says where it found it. The file's namespace goes with the
// file's address: under another one it may be anybody's.
func (g *global) address() (redis, namespace, from string, err error) {
	namespace, from = g.namespace, "--namespace"
	if namespace == "" {
		namespace, from = os.Getenv("STREAM_API_NAMESPACE"), "STREAM_API_NAMESPACE"
	}
	if namespace != "" {
		if err := config.CheckNamespace(namespace); err != nil {
			return "", "", "", usageError("%s: %v", from, err)
		}
	}
	if g.redis != "" {
		redis, from = g.redis, orElse(g.origin, "--redis")
	} else if v := os.Getenv("STREAM_API_REDIS"); v != "" {
		redis, from = v, "STREAM_API_REDIS"
	}
	switch {
	case redis == config.Embedded && g.origin == "":
		return "", "", "", usageError("%s: %s is a word for a host's file; its store is at %s if that was free, else where its host says", from, redis, defaultRedis)
	case redis != "":
		return redis, namespace, from, nil
	}
	if _, statErr := os.Stat(systemConfig); statErr == nil {
		cfg, err := config.Load(systemConfig)
		if errors.Is(err, fs.ErrPermission) {
			return "", "", "", fmt.Errorf("%w; give --redis or STREAM_API_REDIS instead", err)
		}
		if err != nil {
			return "", "", "", err
		}
		own := global{namespace: namespace}
		if err := own.takeStoreOf(cfg); err != nil {
			return "", "", "", err
		}
		return own.redis, own.namespace, systemConfig, nil
	}
	return defaultRedis, namespace, "the default", nil
}

// open reaches the store for a command. The caller closes what it returns.
func (g *global) open(ctx context.Context) (*store.Store, func(), error) {
	address, namespace, from, err := g.address()
	if err != nil {
		return nil, nil, err
	}
	client, err := dial(address, commandTimeout)
	if err != nil {
		return nil, nil, usageError("%v (from %s)", err, from)
	}
	stop := func() {
		if err := client.Close(); err != nil {
			say("stream-api: close the connection: %v", err)
		}
	}
	s, err := store.New(client, store.Options{Namespace: namespace, Actor: actor()})
	if err == nil {
		err = s.Check(ctx)
	}
	if err != nil {
		stop()
		if errors.Is(err, store.ErrSchema) {
			return nil, nil, fmt.Errorf("%w (it is %s, from %s)", err, stream.MaskURLs(address), from)
		}
		advice := "; is it running? give another with --redis"
		if _, refused := store.RefusalOf(err); refused {
			advice = "" // it is, and what to do is said with every refusal
		}
		return nil, nil, fmt.Errorf("%w\nthe store is %s (from %s)%s", err, stream.MaskURLs(address), from, advice)
	}
	return s, stop, nil
}

// with opens the store for what one command does.
func (g *global) with(cmd *cobra.Command, do func(context.Context, *store.Store) error) error {
	s, done, err := g.open(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	return do(cmd.Context(), s)
}

// lists runs a command that shows a part of the status, as JSON or as a table.
func (g *global) lists(part func(stream.Status) any, rows func(stream.Status) *table) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		asJSON, err := g.json()
		if err != nil {
			return err
		}
		return g.with(cmd, func(ctx context.Context, s *store.Store) error {
			status, err := readStatus(ctx, s)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(os.Stdout, part(status))
			}
			return rows(status).write(os.Stdout, onTerminal(os.Stdout))
		})
	}
}

// actor names who acts in the event feed.
func actor() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}
