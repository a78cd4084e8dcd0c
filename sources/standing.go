package sources

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"stream-api/store"
)

// standing is how a poller's own rules stand to those in force. Whatever its file says, the poller announces by what is in
// force: this is the only place where its configuration changes.
type standing struct {
	base         Config // of the file
	rules        Rules  // of the file
	text, digest string

	memory  rulesMemory // InForce is what this poller takes to be in force
	kept    rulesMemory // as it is on the disk
	fresh   bool        // what the file says was not weighed yet in this life
	known   bool        // the store said that memory.InForce is in force
	refused string      // why nothing can be announced
	unfit   bool        // that is the rules in force themselves
	applied string      // store.Ruling.ID of those that the poller's configuration is under
	again   time.Time   // when to ask again; zero: when the store says so
}

// stand begins a poller's life: it announces nothing before it knows what is in force.
func (p *Poller) stand(base Config) {
	s := &p.standing
	s.base, s.rules = base, base.rules()
	s.text = s.rules.Encode()
	s.digest, s.fresh = RulesDigest(s.text), true
	var err error
	if s.memory, err = p.deps.Memory.load(base.Name); err != nil {
		p.log.Warn().Str("reason", err.Error()).Msg("this host does not know which rules it accepted last")
	}
	s.kept = s.memory
}

// settle finds out which rules are in force, offering those of the file, and has the poller announce by them. A positive
// wait says that there are none yet, and when to ask again. An error says that nothing can be announced.
func (p *Poller) settle(ctx context.Context) (wait time.Duration, err error) {
	s := &p.standing
	if s.known && (s.again.IsZero() || time.Now().Before(s.again)) {
		return 0, s.problem()
	}
	s.again = time.Now().Add(store.RulesRepeat)
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for range maxRedo {
		answer, err := p.deps.Store.OfferRules(ctx, s.offer(p.deps.ID, p.info()))
		var taken *store.SourceTakenError
		switch {
		case errors.As(err, &taken):
			s.refused = taken.Error()
			continue // to have it told
		case err != nil:
			return 0, fmt.Errorf("ask for the rules in force: %w", err)
		case answer.Word == store.RulesWait:
			if p.told.first(time.Now(), "no rules") {
				p.log.Debug().Msg("no rules of the source are in force and this host remembers none; it waits until the hold is over")
			}
			return max(answer.Wait, time.Millisecond), nil
		case answer.Word == store.RulesStale:
			s.memory.InForce = answer.InForce
			continue
		}
		p.heard(answer)
		was := s.refused
		p.follow()
		if s.refused == was {
			s.known = true
			p.remember()
			return 0, s.problem()
		}
		// That is to be told, too.
	}
	return 0, errors.New("the rules in force keep changing")
}

func (s *standing) offer(host string, info store.SourceInfo) store.RulesOffer {
	return store.RulesOffer{
		Source: s.base.Name, Host: host, Info: info, Refused: s.refused,
		Digest: s.digest, Text: s.text, Wants: s.base.RulesVersion, Fresh: s.fresh,
		Base:       store.Ruling{Version: s.memory.Agreed.Version, Digest: s.memory.Agreed.Digest},
		Remembered: s.memory.InForce, What: s.what(),
	}
}

// what says how the file differs from what is in force.
func (s *standing) what() string {
	if s.memory.InForce.Version == 0 || s.memory.InForce.Digest == s.digest {
		return ""
	}
	in, err := DecodeRules(s.memory.InForce.Text)
	if err != nil {
		return "those in force do not read"
	}
	return in.Differences(s.rules)
}

// heard takes up what the store answered to the offer.
func (p *Poller) heard(a store.RulesAnswer) {
	s := &p.standing
	switch a.Word {
	case store.RulesWon:
		if what := s.what(); what != "" {
			p.log.Info().Int64("version", a.InForce.Version).Str("reason", what).Msg("the rules of this host's file are in force now")
		}
		s.memory.InForce = a.InForce
		s.memory.InForce.Digest, s.memory.InForce.Text = s.digest, s.text
		fallthrough
	case store.RulesAgree:
		s.memory.Agreed = agreement{s.memory.InForce.Version, s.memory.InForce.Digest}
		s.fresh, s.again = false, time.Time{}
	case store.RulesDiffer:
		if a.Wait > 0 {
			s.again = time.Now().Add(min(a.Wait, store.RulesRepeat))
			return
		}
		s.fresh = s.fresh && s.refused != "" // its time comes when the name is free
		if what := s.what(); p.told.first(time.Now(), "differs: "+what) && s.refused == "" {
			p.log.Warn().Stringer("in_force", s.memory.InForce).Str("reason", what).
				Msg("the file of this host says something else than the rules in force; it announces by those in force. See: stream-api sources diff")
		}
	}
}

// follow has the poller announce by the rules in force.
func (p *Poller) follow() {
	s := &p.standing
	in := s.memory.InForce
	if s.applied == in.ID() {
		return
	}
	cfg, err := s.base.ruled(in)
	if err != nil {
		s.refused, s.unfit = fmt.Sprintf("the rules in force, %v, cannot be followed by this host: %v", in, err), true
		return
	}
	if s.unfit {
		s.refused, s.unfit = "", false
	}
	if cfg.Pull != p.cfg.Pull || !reflect.DeepEqual(cfg.Mounts, p.cfg.Mounts) {
		p.lister.close()
		p.lister = cfg.lister()
	}
	p.cfg, p.memory, s.applied = cfg, nil, in.ID()
}

// ruled is the configuration under rules in force.
func (c Config) ruled(in store.Ruling) (Config, error) {
	if RulesDigest(in.Text) != in.Digest {
		return Config{}, errors.New("they are not as they were written")
	}
	r, err := DecodeRules(in.Text)
	if err != nil {
		return Config{}, err
	}
	out, err := c.under(r)
	if err != nil {
		return Config{}, err
	}
	return out.complete()
}

// problem is why the rules in force let nothing be announced.
func (s *standing) problem() error {
	if s.unfit {
		return errors.New(s.refused)
	}
	return nil
}

// remember writes down what is in force, if that is news.
func (p *Poller) remember() {
	s := &p.standing
	if s.memory == s.kept {
		return
	}
	if err := p.deps.Memory.save(s.base.Name, s.memory); err != nil {
		if p.told.first(time.Now(), "forgetful") {
			p.log.Warn().Str("reason", err.Error()).Msg("the rules in force cannot be written down; after a restart this host has forgotten them")
		}
		return
	}
	s.kept = s.memory
}

// announced takes up what came of an announcement: who asks another ingest under this name is told of, and no more once
// the name is free.
func (s *standing) announced(result store.PollResult, err error) {
	var taken *store.SourceTakenError
	switch {
	case errors.As(err, &taken) && s.refused != taken.Error():
		s.refused, s.known = taken.Error(), false
	case err == nil && result.Ruled:
		s.known = false
	case err == nil && !result.Stale && s.refused != "":
		s.refused, s.known = "", false
	}
}

// sooner is when to ask again, at most at next.
func (s *standing) sooner(next time.Time) time.Time {
	if !s.again.IsZero() && s.again.Before(next) {
		return s.again
	}
	return next
}

// repeat asks again between two polls.
func (p *Poller) repeat(ctx context.Context) {
	if _, err := p.settle(ctx); err != nil {
		p.stored(ctx, err)
	}
}

// failing notes that the ingest tells nothing, so that no announcement will say whether other rules are in force. It tells
// whether the store may be told: only under them is it known which ingest is meant.
func (s *standing) failing() bool {
	if s.again.IsZero() {
		s.again = time.Now().Add(store.RulesRepeat)
	}
	return s.known && !s.unfit
}
