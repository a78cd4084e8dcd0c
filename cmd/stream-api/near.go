package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"stream-api/config"
	"stream-api/scheduler/placement"
	"stream-api/store"
	"stream-api/stream"
)

// maxListed is how many names an error lists.
const maxListed = 8

// unknown is the error for a name that is not there; it says which is near,
// or which there are.
func unknown(what, name string, known []string) error {
	hint := "there is none"
	switch best := config.Nearest(name, known); {
	case best != "":
		hint = "did you mean " + best + "?"
	case len(known) > 0:
		listed := slices.Clone(known)
		slices.Sort(listed)
		hint = "there are " + strings.Join(listed[:min(len(listed), maxListed)], ", ")
		if len(listed) > maxListed {
			hint += fmt.Sprintf(" and %d more", len(listed)-maxListed)
		}
	}
	return fmt.Errorf("%s %s: %w; %s", what, stream.Quote(name), store.ErrNotFound, hint)
}

// knownStream turns the store's word that a stream is not there into one that
// helps; other errors, and nil, stay as they are.
func knownStream(ctx context.Context, s *store.Store, key string, err error) error {
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	keys, listErr := s.StreamKeys(ctx)
	if listErr != nil {
		return err
	}
	return unknown("stream", key, keys)
}

// readInstance reads a stream and one instance of it: the one of that name, or the one
// that leads the slot of that name.
func readInstance(ctx context.Context, s *store.Store, key, name string) (store.InstanceRecord, error) {
	if stream.IsJob(name) {
		return readJobInstance(ctx, s, key, name)
	}
	r, err := s.Record(ctx, key)
	if err != nil {
		return store.InstanceRecord{}, knownStream(ctx, s, key, err)
	}
	v, ok := r.Find(name)
	if !ok {
		names := make([]string, 0, len(r.Slots))
		for name := range r.Slots {
			names = append(names, name)
		}
		return store.InstanceRecord{}, unknown("slot", name, names)
	}
	return v, nil
}

// readJobInstance is a job as an instance; of one that is done, or has failed, the host where
// it was last.
func readJobInstance(ctx context.Context, s *store.Store, key, name string) (store.InstanceRecord, error) {
	j, err := s.ReadJob(ctx, key, name)
	if err == nil && j.Host == "" {
		j.Host = j.On
	}
	if !errors.Is(err, store.ErrNotFound) {
		return j.InstanceRecord, err
	}
	done, err := s.DoneJob(ctx, key, name)
	return store.InstanceRecord{Reservation: store.Reservation{Key: key, Instance: name, Type: done.Type, Host: done.Host}}, err
}

// readStatus is the whole picture as it may be shown.
func readStatus(ctx context.Context, s *store.Store) (stream.Status, error) {
	status, err := s.Status(ctx)
	stream.Show(&status)
	status.Fragile = placement.Fragile(status)
	return status, err
}

// readHost reads one host.
func readHost(ctx context.Context, s *store.Store, name string) (store.HostRecord, error) {
	hosts, err := s.Hosts(ctx)
	if err != nil {
		return store.HostRecord{}, err
	}
	names := make([]string, 0, len(hosts))
	for _, h := range hosts {
		if h.Host == name {
			return h, nil
		}
		names = append(names, h.Host)
	}
	return store.HostRecord{}, unknown("host", name, names)
}
