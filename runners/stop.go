package runners

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"stream-api/runners/supervisor"
	"stream-api/store"
)

// stopping is what is known of the end of the child's tree.
type stopping struct {
	gone bool        // the supervisor said that nothing is left of it
	done *store.Done // its child was done
}

// stop ends the child and goes on to the release.
func (h *holding) stop(ctx context.Context) step {
	w := h.wished()
	h.enter(PhaseStopping, w.reason)
	if !h.static && !h.stopping.gone && !h.endTree(ctx, endGently) {
		return nil
	}
	return h.release
}

// endTree returns when nothing of the slot's tree is left and post_stop has
// run; false when ctx is over before. how is the least; a harder wish that
// comes meanwhile is obeyed.
func (h *holding) endTree(ctx context.Context, how ending) bool {
	asked := endNot
	for {
		sup := h.supervisor()
		if sup == nil {
			gone, err := h.regain(ctx)
			if gone {
				return true
			}
			h.complain(err)
			if sup = h.supervisor(); sup == nil {
				if !h.pause(ctx, 200*time.Millisecond) {
					return false
				}
				continue
			}
			asked = endNot
		}
		if how = max(how, h.wished().end); how > asked {
			h.askEnd(ctx, sup, how)
			asked = how
		}
		select {
		case <-sup.Done():
			ended := sup.Result() != nil
			h.letGo()
			if ended {
				return true
			}
		case <-h.wake:
		case <-ctx.Done():
			return false
		}
	}
}

// askEnd sends the request and does not wait for its fulfilment.
func (h *holding) askEnd(ctx context.Context, sup *supervisor.Client, how ending) {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	var err error
	if how == endNow {
		_, err = sup.End(ctx)
	} else {
		_, err = sup.Stop(ctx)
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		h.logger().Debug().Err(err).Msg("asked the supervisor to end")
	}
}

// mopUp makes sure that nothing of a supervisor that is gone lives on.
func mopUp(ctx context.Context, dir string, log zerolog.Logger) (gone bool, err error) {
	err = supervisor.Finish(ctx, dir)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, supervisor.ErrLive) || ctx.Err() != nil:
		return false, err
	}
	found, lookErr := supervisor.Inspect(dir)
	if lookErr != nil {
		return false, lookErr
	}
	if found.Live || len(found.Leftovers) > 0 {
		return false, err
	}
	// A hook that fails is told, and does not hold the slot back.
	log.Warn().Err(err).Msg("what a killed supervisor left")
	return true, nil
}
