package main

import "context"

// footprint is memory in bytes a piece.
type footprint struct{ service, stream, pending, running float64 }

// measureMemory fills an empty server step by step and divides the growth.
func measureMemory(ctx context.Context, srv *server, hosts, streams int) (footprint, error) {
	var m footprint
	types := []string{"dist", "transcode", "fanout_h264", "fanout_vpx", "fanout_audio", "fanout_thumbnail"}

	bare, err := grown(ctx, srv, func(f *field) error { return f.want(ctx, streams) })
	if err != nil {
		return m, err
	}
	m.stream = bare / float64(streams)
	waiting, err := grown(ctx, srv, func(f *field) error { return f.want(ctx, streams, types...) })
	if err != nil {
		return m, err
	}
	m.pending = (waiting - bare) / float64(streams*len(types))
	offered, err := grown(ctx, srv, func(f *field) error { return f.register(ctx, hosts, types...) })
	if err != nil {
		return m, err
	}
	m.service = offered / float64(hosts*len(types))
	running, err := grown(ctx, srv, func(f *field) error { return f.runAll(ctx, hosts, streams, types) })
	if err != nil {
		return m, err
	}
	m.running = (running - offered - bare) / float64(streams*len(types))
	return m, nil
}

// grown gives what an empty server grows by.
func grown(ctx context.Context, srv *server, fill func(*field) error) (float64, error) {
	f, err := newEmptyField(ctx, srv)
	if err != nil {
		return 0, err
	}
	before, err := srv.used(ctx)
	if err != nil {
		return 0, err
	}
	if err := fill(f); err != nil {
		return 0, err
	}
	after, err := srv.used(ctx)
	return after - before, err
}
