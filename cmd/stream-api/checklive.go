package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"stream-api/config"
	"stream-api/sources"
	"stream-api/store"
	"stream-api/stream"
)

// checkLive prints what the rules of a file's sources would take from streams on air, were the file taken up now.
func (g *global) checkLive(ctx context.Context, cfg *config.Config) error {
	if err := g.takeStoreOf(cfg); err != nil {
		return err
	}
	s, done, err := g.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	keys, err := s.StreamKeys(ctx)
	if err != nil {
		return err
	}
	streams, err := s.StatusOf(ctx, keys)
	if err != nil {
		return err
	}
	memory, stops := sources.MemoryIn(cfg.StateDir), 0
	for _, source := range cfg.Sources {
		in, _, err := s.RulesOf(ctx, source.Name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		c, err := sourceConfig(cfg, source)
		if err != nil {
			return configError(err)
		}
		f, err := sources.Foresee(c, in, memory)
		if err != nil {
			return fmt.Errorf("source %s: %w", source.Name, err)
		}
		text, children := foreseen(f, source.Name, in, streams)
		if _, err := fmt.Fprintf(os.Stdout, "%s: %s\n", source.Name, stream.Shown(text)); err != nil {
			return err
		}
		stops += children
	}
	if stops > 0 {
		return exitError{exitStops, silentError{fmt.Errorf("%d children would stop", stops)}}
	}
	return nil
}

// foreseen says what would become of a source's streams, and how many children
// would stop.
func foreseen(f sources.Foresight, source string, in store.Ruling, streams []stream.StreamStatus) (string, int) {
	switch {
	case in.Version == 0:
		return "no rules are in force; those of this file would be the first", 0
	case f.Same:
		return fmt.Sprintf("says what is in force, %v", in), 0
	case !f.Wins:
		return fmt.Sprintf("differs: %s; but %v stays in force, as this host's file was not made from it", f.What, in), 0
	}
	children, of := 0, 0
	for _, s := range streams {
		if s.Source != source {
			continue
		}
		if n := len(f.Stops(s)); n > 0 {
			children, of = children+n, of+1
		}
	}
	text := fmt.Sprintf("%s: %d children would stop", f.What, children)
	switch {
	case children == 0:
		text = f.What + ": no child would stop"
	case children == 1:
		text = f.What + ": 1 child would stop"
	}
	if of > 1 {
		text += fmt.Sprintf(", of %d streams", of)
	}
	return text, children
}
