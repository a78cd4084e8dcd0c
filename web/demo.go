package web

import (
	"context"

	"stream-api/stream"
)

// Demo lets the page switch a toy ingest's streams and kill and revive the
// hosts of a demonstration. Outside one there is none.
type Demo interface {
	// State is asked about four times a second, so it must be quick.
	State() DemoState
	Switch(ctx context.Context, key string, on bool) error
	// SetAlive kills a host without warning, or revives it.
	SetAlive(ctx context.Context, host string, alive bool) error
}

// DemoState is what there is to switch.
type DemoState struct {
	Streams []DemoStream `json:"streams"`
	Hosts   []DemoHost   `json:"hosts"`
}

// DemoStream is a stream of the toy ingest.
type DemoStream struct {
	Key string `json:"key"`
	On  bool   `json:"on"`
}

// DemoHost is a host of the demonstration.
type DemoHost struct {
	Host  string `json:"host"`
	Alive bool   `json:"alive"`
}

type (
	demoStreamBody struct {
		Key string `json:"key"`
		On  bool   `json:"on"`
	}
	demoHostBody struct {
		Host  string `json:"host"`
		Alive bool   `json:"alive"`
	}
)

func (s *Server) demoStream(ctx context.Context, b demoStreamBody) (string, error) {
	if err := stream.CheckKey(b.Key); err != nil {
		return "", badRequest(err.Error())
	}
	said := b.Key + " is switched off"
	if b.On {
		said = b.Key + " is switched on"
	}
	return said, s.o.Demo.Switch(ctx, b.Key, b.On)
}

func (s *Server) demoHost(ctx context.Context, b demoHostBody) (string, error) {
	if err := stream.CheckHost(b.Host); err != nil {
		return "", badRequest(err.Error())
	}
	said := b.Host + " is killed"
	if b.Alive {
		said = b.Host + " is revived"
	}
	return said, s.o.Demo.SetAlive(ctx, b.Host, b.Alive)
}
