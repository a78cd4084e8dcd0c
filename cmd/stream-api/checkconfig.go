package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"stream-api/config"
	"stream-api/stream"
)

// checkJSON is `check-config -o json`.
type checkJSON struct {
	OK       bool          `json:"ok"`
	Problems []problemJSON `json:"problems"`
	More     int           `json:"more"` // further problems, not listed
	Warnings []problemJSON `json:"warnings"`
}

type problemJSON struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path"`
	Message string `json:"message"`
}

func checkConfigCommand(g *global) *cobra.Command {
	var same, quiet, live, here bool
	var files []string
	c := &cobra.Command{
		Use: "check-config FILE…", Short: "Say what a configuration means, or what is wrong with it", GroupID: "host",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && len(files) == 0:
				return errors.New("give the host's file, or all of them in their order")
			case len(args) > 0 && len(files) > 0:
				return fmt.Errorf("%s: each file needs its own -c, or none of them one", stream.Quote(args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := g.json()
			if err != nil {
				return err
			}
			if quiet && asJSON {
				return usageError("-q prints nothing about a good file, -o json something: give one of them")
			}
			if live && (quiet || asJSON) {
				return usageError("--live prints a line for each source, for people: neither -q nor -o json")
			}
			cfg, err := config.Load(append(files, args...)...)
			if asJSON {
				return checkedJSON(cfg, err)
			}
			if err != nil {
				return configError(err)
			}
			if same {
				if err := readyHere(cfg); err != nil {
					return configError(err)
				}
				for _, line := range identity(cfg) {
					fmt.Println(line)
				}
				return nil
			}
			if here {
				if err := readyNow(cfg); err != nil {
					return configError(err)
				}
			}
			if quiet {
				return nil
			}
			if live {
				return g.checkLive(cmd.Context(), cfg)
			}
			return cfg.Describe(os.Stdout)
		},
	}
	g.outputFlag(c)
	c.Flags().StringArrayVarP(&files, "config", "c", nil, "a file, as run takes it; may repeat")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print only what is wrong")
	c.Flags().BoolVar(&live, "live", false, "print what the rules of its sources would take from streams on air, were the file taken up now")
	c.Flags().BoolVar(&here, "here", false, "also what this machine alone can tell: token, certificate, port of the page; as the host's user")
	c.Flags().BoolVar(&same, "identity", false, "print only what must not change while children run on")
	if err := c.Flags().MarkHidden("identity"); err != nil {
		panic(err) // it was defined in the line before
	}
	return c
}

// readyHere tells what the next life of this host would fail at although its
// file is good: then the present one goes on.
func readyHere(cfg *config.Config) error {
	if cfg.Web.Listen == "" {
		return nil
	}
	if held, asked := os.LookupEnv(listeningVariable); asked {
		if err := tryListen(cfg.Web.Listen, held); err != nil {
			return err
		}
	}
	return readable(cfg)
}

// readyNow is readyHere for who does not know where the present life listens: a
// port that this user's own process has is taken for that.
func readyNow(cfg *config.Config) error {
	if cfg.Web.Listen == "" {
		return nil
	}
	if err := tryListen(cfg.Web.Listen, ""); errors.Is(err, unix.EADDRINUSE) {
		mine, readErr := listensHere(cfg.Web.Listen, os.Geteuid())
		if readErr != nil || !mine {
			return errors.Join(err, readErr)
		}
	} else if err != nil {
		return err
	}
	return readable(cfg)
}

// readable tells whether the page's token and certificate can be had.
func readable(cfg *config.Config) error {
	if _, err := cfg.WebToken(); err != nil {
		return err
	}
	if t := cfg.Web.TLS; t != nil {
		if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
			return fmt.Errorf("web.tls: %w", err)
		}
	}
	return nil
}

// listeningVariable tells a check before a reload where the present life has
// its page.
const listeningVariable = "STREAM_API_LISTENING"

// tryListen tells whether listen could be had by a life that has held: the port
// of that is given up first.
func tryListen(listen, held string) error {
	_, port, _ := net.SplitHostPort(listen)
	if _, mine, _ := net.SplitHostPort(held); mine == port {
		return nil
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("web.listen: %w", err)
	}
	return l.Close()
}

// checkedJSON prints what Load said.
func checkedJSON(cfg *config.Config, err error) error {
	out := checkJSON{OK: err == nil, Problems: []problemJSON{}, Warnings: []problemJSON{}}
	var wrong *config.Error
	switch {
	case errors.As(err, &wrong):
		out.Problems, out.More = problemsJSON(wrong.Problems), wrong.More
	case err != nil:
		out.Problems = unreadJSON(err)
	default:
		out.Warnings = problemsJSON(cfg.Warnings)
	}
	if printErr := printJSON(os.Stdout, out); printErr != nil || err == nil {
		return printErr
	}
	return configError(silentError{err})
}

// unreadJSON are the files that could not be read, without a place in them.
func unreadJSON(err error) []problemJSON {
	each := []error{err}
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		each = all.Unwrap()
	}
	var out []problemJSON
	for _, err := range each {
		p := problemJSON{Message: err.Error()}
		var at *fs.PathError
		if errors.As(err, &at) {
			p.File = at.Path
		}
		out = append(out, p)
	}
	return out
}

func problemsJSON(problems []config.Problem) []problemJSON {
	out := make([]problemJSON, 0, len(problems))
	for _, p := range problems {
		out = append(out, problemJSON{File: p.File, Line: p.Line, Column: p.Column, Path: p.Path, Message: p.Message})
	}
	return out
}

// configError gives every failure to load a configuration its exit code.
func configError(err error) error { return exitError{code: exitUsage, err: err} }
