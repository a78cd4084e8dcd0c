package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// actionLimit bounds what an operator's word may take.
const actionLimit = 10 * time.Second

// Mover does what needs more than one word to the store. Slots are named as
// in the chain.
type Mover interface {
	// Move takes a slot to another host; to is a host, or empty for any other
	// that has room.
	Move(ctx context.Context, key, name, to string) error
	// Pin keeps a slot on the host to from now on, and takes it there if it
	// runs elsewhere: moving tells whether it does. With an error it is not
	// pinned.
	Pin(ctx context.Context, key, name, to string) (moving bool, err error)
	// Restart ends the children of a slot, or with an empty slot of all slots
	// of the stream, and starts them anew where they are. With stale only
	// those whose environment would now differ.
	Restart(ctx context.Context, key, name string, stale bool) error
}

// action is one POST: it reads its JSON body into a T and carries it out.
func action[T any](s *Server, do func(context.Context, T) (said string, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || kind != "application/json" {
			refuse(w, http.StatusUnsupportedMediaType, "send Content-Type: application/json")
			return
		}
		var body T
		if err := decode(r, &body); err != nil {
			failed(w, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), actionLimit)
		defer cancel()
		said, err := do(ctx, body)
		if err != nil {
			s.o.Log.Info().Str("action", r.URL.Path).Str("from", r.RemoteAddr).Err(err).Msg("an operator's word was refused")
			failed(w, err)
			return
		}
		s.o.Log.Info().Str("action", r.URL.Path).Str("from", r.RemoteAddr).Msg(said)
		s.board.touch("")
		answer(w, http.StatusOK, map[string]string{"done": said})
	})
}

// The bodies of actions. Fields that do not apply are refused.
type (
	keyBody struct {
		Key string `json:"key"`
	}
	addBody struct {
		Key      string            `json:"key"`
		Chain    chainBody         `json:"chain"`
		Vars     map[string]string `json:"vars"`
		Priority int               `json:"priority"`
	}
	setBody struct {
		Key  string            `json:"key"`
		Vars map[string]string `json:"vars"` // an empty value takes the word back
	}
	restartBody struct {
		Key   string `json:"key"`
		Slot  string `json:"slot"` // empty: all of the stream
		Stale bool   `json:"stale"`
	}
	moveBody struct {
		Key  string `json:"key"`
		Slot string `json:"slot"`
		To   string `json:"to"`  // a host; empty: any other
		Pin  bool   `json:"pin"` // keep it there
	}
	unpinBody struct {
		Key  string `json:"key"`
		Slot string `json:"slot"`
	}
	hostBody struct {
		Host string `json:"host"`
	}
	serviceBody struct {
		Type     string `json:"type"`
		Host     string `json:"host"`
		Capacity limit  `json:"capacity"` // null: no limit
	}
)

// chainBody is a chain as a file has it: slots' names, or objects that say more.
type chainBody struct {
	slots []string
	items stream.Items
}

func (c *chainBody) UnmarshalJSON(text []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return errors.New("chain is a list of slots: names, or objects such as {\"slot\": \"high\", \"type\": \"variant\"}")
	}
	c.items = stream.Items{}
	for _, one := range list {
		var name string
		if json.Unmarshal(one, &name) != nil {
			var item struct {
				Slot string `json:"slot"`
				Job  string `json:"job"`
				stream.Item
			}
			d := json.NewDecoder(bytes.NewReader(one))
			d.DisallowUnknownFields()
			if err := d.Decode(&item); err != nil {
				return fmt.Errorf("chain: %w", err)
			}
			switch {
			case item.Job != "" && (item.Slot != "" || item.Of == ""):
				return fmt.Errorf("chain: %s is a slot, {\"slot\": …}, or a job of one, {\"job\": …, \"of\": …}", stream.Quote(item.Job))
			case item.Job == "" && item.Of != "":
				return fmt.Errorf("chain: of belongs to a job: write {\"job\": %s, \"of\": …} instead of slot", stream.Quote(item.Slot))
			case item.Job != "":
				if _, twice := c.items[item.Job]; twice {
					return fmt.Errorf("chain: %s is there twice", stream.Quote(item.Job))
				}
				c.items[item.Job] = item.Item
				continue
			}
			name, c.items[item.Slot] = item.Slot, item.Item
		}
		c.slots = append(c.slots, name)
	}
	return nil
}

// limit is a number or null; who says neither meant something else.
type limit struct {
	given    bool
	capacity *int
}

func (l *limit) UnmarshalJSON(text []byte) error {
	l.given = true
	return json.Unmarshal(text, &l.capacity)
}

func (s *Server) actions(mux *http.ServeMux) {
	mux.Handle("POST /api/v1/streams/add", action(s, s.add))
	mux.Handle("POST /api/v1/streams/rm", action(s, s.remove))
	mux.Handle("POST /api/v1/streams/set", action(s, s.set))
	mux.Handle("POST /api/v1/streams/hold", action(s, s.holdStream("1", "is held: its slots stop, and none starts")))
	mux.Handle("POST /api/v1/streams/unhold", action(s, s.holdStream("", "is held no more")))
	mux.Handle("POST /api/v1/streams/restart", action(s, s.restart))
	mux.Handle("POST /api/v1/streams/move", action(s, s.move))
	mux.Handle("POST /api/v1/streams/unpin", action(s, s.unpin))
	mux.Handle("POST /api/v1/hosts/cordon", action(s, s.hostState(stream.Cordoned, "is cordoned: it takes nothing new")))
	mux.Handle("POST /api/v1/hosts/uncordon", action(s, s.hostState(stream.Up, "takes slots again")))
	mux.Handle("POST /api/v1/hosts/drain", action(s, s.hostState(stream.Draining, "hands over what it holds")))
	mux.Handle("POST /api/v1/services/set", action(s, s.capacity))
	if s.o.Demo != nil {
		mux.Handle("POST /api/v1/demo/stream", action(s, s.demoStream))
		mux.Handle("POST /api/v1/demo/host", action(s, s.demoHost))
	}
}

func (s *Server) add(ctx context.Context, b addBody) (string, error) {
	a := stream.Announcement{Chain: b.Chain.slots, Items: b.Chain.items.Canonical(), Priority: b.Priority, Vars: b.Vars}
	if err := errors.Join(stream.CheckKey(b.Key), a.Check()); err != nil {
		return "", badRequest(err.Error())
	}
	if len(b.Chain.slots) == 0 {
		return "", badRequest("a stream needs a chain of at least one slot")
	}
	if err := s.o.Store.CheckNew(ctx, b.Key); err != nil {
		return "", err
	}
	return b.Key + " is announced", s.o.Store.AddStream(ctx, b.Key, a)
}

func (s *Server) remove(ctx context.Context, b keyBody) (string, error) {
	if err := stream.CheckKey(b.Key); err != nil {
		return "", badRequest(err.Error())
	}
	found, err := s.o.Store.Retract(ctx, store.ManualSource, b.Key)
	if err != nil {
		return "", err
	}
	if !found {
		return "", &refusal{code: http.StatusNotFound, text: fmt.Sprintf(
			"stream %s was not added by hand; it goes when its publisher does. To keep it from running, hold it", b.Key)}
	}
	return b.Key + " is taken back", nil
}

func (s *Server) set(ctx context.Context, b setBody) (string, error) {
	if err := errors.Join(stream.CheckKey(b.Key), stream.CheckVars(b.Vars)); err != nil {
		return "", badRequest(err.Error())
	}
	if len(b.Vars) == 0 {
		return "", badRequest("vars names nothing to set")
	}
	fields := make(map[string]string, len(b.Vars))
	for name, value := range b.Vars {
		fields["var:"+name] = value
	}
	return fmt.Sprintf("%d variables of %s are set", len(fields), b.Key), s.override(ctx, b.Key, fields)
}

func (s *Server) holdStream(value, said string) func(context.Context, keyBody) (string, error) {
	return func(ctx context.Context, b keyBody) (string, error) {
		return b.Key + " " + said, s.override(ctx, b.Key, map[string]string{"held": value})
	}
}

// override refuses words on streams nobody knows: they would lie there unseen.
func (s *Server) override(ctx context.Context, key string, fields map[string]string) error {
	if err := stream.CheckKey(key); err != nil {
		return badRequest(err.Error())
	}
	if _, err := s.o.Store.Record(ctx, key); err != nil {
		return err
	}
	return s.o.Store.Override(ctx, key, fields)
}

var errNoMover = &refusal{code: http.StatusNotImplemented, text: "this server can neither move nor restart slots; ask one of a host that runs stream-api run"}

func (s *Server) restart(ctx context.Context, b restartBody) (string, error) {
	if s.o.Mover == nil {
		return "", errNoMover
	}
	what, err := s.named(ctx, b.Key, b.Slot)
	if err != nil {
		return "", err
	}
	return what + " restarts", s.o.Mover.Restart(ctx, b.Key, b.Slot, b.Stale)
}

func (s *Server) move(ctx context.Context, b moveBody) (string, error) {
	if s.o.Mover == nil {
		return "", errNoMover
	}
	if b.Slot == "" {
		return "", badRequest("name the slot to move")
	}
	if b.Pin && b.To == "" {
		return "", badRequest("to pin a slot, say to which host")
	}
	what, err := s.named(ctx, b.Key, b.Slot)
	if err != nil {
		return "", err
	}
	if b.To != "" {
		if err := stream.CheckHost(b.To); err != nil {
			return "", badRequest(err.Error())
		}
	}
	if b.Pin {
		moving, err := s.o.Mover.Pin(ctx, b.Key, b.Slot, b.To)
		s.board.touch(b.Key) // a slot that runs there already tells no event
		said := what + " is pinned to " + b.To
		if moving {
			said += " and moves there"
		}
		return said, err
	}
	to := b.To
	if to == "" {
		to = "another host"
	}
	return what + " moves to " + to, s.o.Mover.Move(ctx, b.Key, b.Slot, b.To)
}

func (s *Server) unpin(ctx context.Context, b unpinBody) (string, error) {
	if err := stream.CheckSlotOrInstance(b.Slot); err != nil {
		return "", badRequest(err.Error())
	}
	what, err := s.named(ctx, b.Key, b.Slot)
	if err != nil {
		return "", err
	}
	err = s.o.Store.Unpin(ctx, b.Key, b.Slot)
	s.board.touch(b.Key)
	return what + " may run anywhere", err
}

// named checks that the stream, and the slot if one is given, exist.
func (s *Server) named(ctx context.Context, key, slot string) (string, error) {
	if err := stream.CheckKey(key); err != nil {
		return "", badRequest(err.Error())
	}
	record, err := s.o.Store.Record(ctx, key)
	if err != nil {
		return "", err
	}
	if slot == "" {
		return key, nil
	}
	if _, ok := record.Find(slot); !ok {
		return "", fmt.Errorf("slot %s of %s: %w", stream.Quote(slot), key, store.ErrNotFound)
	}
	return key + " " + slot, nil
}

func (s *Server) hostState(state stream.HostState, said string) func(context.Context, hostBody) (string, error) {
	return func(ctx context.Context, b hostBody) (string, error) {
		if err := stream.CheckHost(b.Host); err != nil {
			return "", badRequest(err.Error())
		}
		return b.Host + " " + said, s.o.Store.Cordon(ctx, b.Host, state)
	}
}

// maxCapacity is what the store takes for a sensible number.
const maxCapacity = 1_000_000

func (s *Server) capacity(ctx context.Context, b serviceBody) (string, error) {
	if err := errors.Join(stream.CheckType(b.Type), stream.CheckHost(b.Host)); err != nil {
		return "", badRequest(err.Error())
	}
	capacity := b.Capacity.capacity
	if !b.Capacity.given || capacity != nil && (*capacity < 0 || *capacity > maxCapacity) {
		return "", badRequest(fmt.Sprintf("capacity is a number from 0 to %d, or null for no limit", maxCapacity))
	}
	said := fmt.Sprintf("%s on %s has no limit", b.Type, b.Host)
	if capacity != nil {
		said = fmt.Sprintf("%s on %s has capacity %d", b.Type, b.Host, *capacity)
	}
	if err := s.o.Store.SetCapacity(ctx, b.Type, b.Host, capacity); err != nil {
		return said, err
	}
	if but, err := s.o.Store.PoolsAllow(ctx, b.Type, b.Host, capacity); err == nil && but != "" {
		said += "; " + but
	}
	return said, nil
}
