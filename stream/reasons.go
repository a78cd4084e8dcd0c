package stream

import (
	"maps"
	"slices"
)

// Severity is how much a reason is somebody's business.
type Severity string

// The severities.
const (
	Info Severity = "info" // as it should be
	Warn Severity = "warn" // something does not run, or not as it should
	Bad  Severity = "bad"  // something fails
)

// The codes. docs/reasons.md has them with what to do.
const (
	// Why a pending slot waits.
	CodeNoOffer   Code = "no-offer"      // type
	CodeNoMatch   Code = "no-match"      // type, services
	CodeNoHost    Code = "no-host"       // type, host: as its item wants it, hosts: that offer it
	CodeHostOpen  Code = "host-open"     // host: what its item says, and misses a value
	CodeNonsense  Code = "nonsense"      // broken: services that take nothing, with why
	CodePinned    Code = "pinned"        // host, cause
	CodePinnedOff Code = "pinned-off"    // type: its pin offers none that matches
	CodeEachHost  Code = "each-host"     // host: whose it is, and nobody else's
	CodeEachNone  Code = "each-none"     // slot, type: nobody offers it to this stream
	CodeEachAway  Code = "each-away"     // host: whose it is; away: how that stands
	CodeNeeds     Code = "needs"         // needs
	CodeNeedsLost Code = "needs-outside" // needs, slot
	CodeCycle     Code = "needs-cycle"   // cycle
	CodeFull      Code = "full"          // full, type, services (if all are full), cooling, cause, away, broken
	CodePoolFull  Code = "pool-full"     // needs, pool, host, left, size, services (if it is one), cooling, cause, away, broken
	CodeCooldown  Code = "cooldown"      // cooling, cause, away, broken
	CodeNotUp     Code = "not-up"        // type, away, broken
	CodeNoOther   Code = "no-other"      // type
	CodeNoRoom    Code = "no-room"       // host, if one was asked for
	CodeApart     Code = "apart"         // apart: which hosts hold other copies; type; of one host: what it holds
	CodeWith      Code = "with"          // slot: its target; host, if that has one; cause
	CodeOnHold    Code = "hold"          // cause: why; ms: for how long
	CodeUnclaimed Code = "unclaimed"     // host, limit
	CodeHostDown  Code = "host-down"     // host

	// Why it is not moved, or moves.
	CodeNotMoved       Code = "not-moved"        // cause
	CodeDrainOff       Code = "drain-off"        //
	CodeSuccessorLate  Code = "successor-late"   // host
	CodeSuccessorIdle  Code = "successor-idle"   // host
	CodeNotTaken       Code = "not-taken"        //
	CodeNotUpThere     Code = "not-up-there"     // host
	CodePinnedHere     Code = "pinned-here"      // host
	CodeFollows        Code = "follows"          // slot: its target
	CodeNearer         Code = "nearer"           // target, on: its host, was and would: how near
	CodePreferred      Code = "preferred"        // host
	CodeSpreads        Code = "spreads"          // label, was and would: how many other copies are where it is as there
	CodeEmptier        Code = "emptier"          // here, there: what the services hold
	CodeParts          Code = "parts"            // with: a copy that it is apart from, and shares a host or a label with
	CodeTogether       Code = "together"         // with: a copy that it is apart from; by: who said so
	CodeMoveTo         Code = "move-to"          // host
	CodeMoveFrom       Code = "move-from"        // host
	CodeMoved          Code = "moved"            // host
	CodeMovedAway      Code = "moved-away"       //
	CodeMoveOver       Code = "move-over"        //
	CodeAsked          Code = "asked"            //
	CodeVarsChanged    Code = "vars-changed"     //
	CodeNewSession     Code = "new-session"      //
	CodeEnded          Code = "ended"            //
	CodeNotInChain     Code = "not-in-chain"     //
	CodeTooMany        Code = "too-many"         //
	CodeNotItsHost     Code = "not-its-host"     // host: that was to have it
	CodeManyHosts      Code = "many-hosts"       // slot, hosts, most
	CodeOtherType      Code = "other-type"       // type
	CodeReady          Code = "ready"            //
	CodeLeadLost       Code = "lead-lost"        //
	CodeLeadUnready    Code = "lead-unready"     //
	CodeHeld           Code = "held"             //
	CodeAllOff         Code = "all-off"          //
	CodeOverride       Code = "override"         // words
	CodeUnwanted       Code = "unwanted"         //
	CodeUnreadable     Code = "unreadable"       // problems
	CodeHostLeaves     Code = "host-leaves"      //
	CodeOffersNothing  Code = "offers-nothing"   //
	CodeOffersOther    Code = "offers-other"     //
	CodeHostRenamed    Code = "host-renamed"     // host
	CodeRunnerStops    Code = "runner-stops"     // error
	CodeEarlierLife    Code = "earlier-life"     //
	CodeHeldElsewhere  Code = "held-elsewhere"   // host
	CodeAfter          Code = "after"            // instance: a job comes after it
	CodeTook           Code = "took"             // seconds that a job took
	CodeJobBehind      Code = "job-behind"       // type
	CodeJobShare       Code = "job-share"        // type
	CodeNotEnded       Code = "not-ended"        // what a job came after runs still
	CodeNeverStarted   Code = "never-started"    //
	CodeDeadline       Code = "deadline"         //
	CodeSupervisorTerm Code = "supervisor-term"  //
	CodeSupervisorKill Code = "supervisor-kill"  //
	CodeSupervisorEnd  Code = "supervisor-end"   // end
	CodeDone           Code = "done"             // code
	CodeTries          Code = "tries"            // n, max, exit, pause
	CodeJobFailed      Code = "job-failed"       // n, exit
	CodeHostLost       Code = "host-lost"        // host
	CodeItemsFull      Code = "items-full"       // open, waiting
	CodeNothingLives   Code = "nothing-lives"    //
	CodeNotTakenOver   Code = "not-taken-over"   // error
	CodeAdopted        Code = "adopted"          //
	CodeNotWrittenDown Code = "not-written-down" // error
	CodeLifeOver       Code = "life-over"        //
	CodeNotGiven       Code = "not-given"        //
	CodeSlotIs         Code = "slot-is"          // state

	// What its child does.
	CodeGap          Code = "gap"           // seconds
	CodeExited       Code = "exited"        // exit, times
	CodeExitedAway   Code = "exited-away"   // exit
	CodeFailed       Code = "failed"        // exit, times
	CodeStays        Code = "stays"         // exit, times, every, since
	CodeCannotStart  Code = "cannot-start"  // error
	CodeClaimRefused Code = "claim-refused" // answer
	CodeStalled      Code = "stalled"       // text
	CodeUnready      Code = "unready"       // what, limit, cause
	CodeWarning      Code = "warning"       // text

	// Why everything is on hold.
	CodeUnwatched        Code = "unwatched"         // seconds
	CodeNeverWatched     Code = "never-watched"     //
	CodeClockBack        Code = "clock-back"        //
	CodeClockJumped      Code = "clock-jumped"      //
	CodeRestarted        Code = "restarted"         //
	CodePerhapsRestarted Code = "perhaps-restarted" //
	CodeOtherData        Code = "other-data"        //
	CodeEmpty            Code = "empty"             //
	CodeFirstStart       Code = "first-start"       //
	CodeMassLapse        Code = "mass-lapse"        // hosts, ms
	CodeStoreForgot      Code = "store-forgot"      //
	CodeNoWrites         Code = "no-writes"         // answer
	CodeNoLooks          Code = "no-looks"          // what, host, answer, do
	CodeNoScheduler      Code = "no-scheduler"      //

	// Of hosts, services, sources and keys.
	CodeLapsed         Code = "lapsed"          //
	CodeLeaves         Code = "leaves"          //
	CodeLeft           Code = "left"            //
	CodeDownLong       Code = "down-long"       //
	CodeForGood        Code = "for-good"        //
	CodeVersion        Code = "version"         // version
	CodeHostLacks      Code = "host-lacks"      // lacks
	CodeCheckFails     Code = "check-fails"     // error, type
	CodeCheckIgnored   Code = "check-ignored"   // error, failing, services, type
	CodeCheckWell      Code = "check-well"      // type
	CodeBadCapacity    Code = "bad-capacity"    // capacity, type
	CodeBadFilter      Code = "bad-filter"      // error
	CodeBadLabels      Code = "bad-labels"      // error
	CodeBadUses        Code = "bad-uses"        // type, uses
	CodeBadPools       Code = "bad-pools"       // pools, type
	CodeNoPool         Code = "no-pool"         // needs, pool, size, type
	CodeMendedUsed     Code = "mended-used"     // type, was, used
	CodeMendedCapacity Code = "mended-capacity" // type, was, places
	CodeMendedLease    Code = "mended-lease"    //
	CodeMendedSlots    Code = "mended-slots"    // entries
	CodeSetAside       Code = "set-aside"       // name, was, should, aside
	CodeSource         Code = "source"          // source
	CodeSourceFails    Code = "source-fails"    // source, error
	CodeSourceFull     Code = "source-full"     // source, max, example
	CodeSourceDropped  Code = "source-dropped"  // source, streams
	CodeLayoutRaised   Code = "layout-raised"   // layout, was

	// Of the rules of sources; author is the host whose file they are of.
	CodeRulesFirst      Code = "rules-first"      // author, source, version
	CodeRulesChanged    Code = "rules-changed"    // author, source, version, what
	CodeRulesRaised     Code = "rules-raised"     // author, source, version
	CodeRulesRemembered Code = "rules-remembered" // author, host, source, version
	CodeRulesAccepted   Code = "rules-accepted"   // author, by, source, version, what
	CodeFileDiffers     Code = "file-differs"     // author, host, source, version, what
	CodeFileAgrees      Code = "file-agrees"      // host, source
	CodeNothingSaid     Code = "nothing-said"     // host, source, what
	CodeWas             Code = "was"              // state
)

// reasonRow is what is known of a code.
type reasonRow struct {
	severity Severity
	waits    string // class of a pending slot that waits because of it; empty: other
	sentence sentence
}

// what is said where a slot cools down, or services are full, after the rest.
const (
	coolingText = "[cooling down on {cooling}: {cause}|cooling down on {cooling}]"
	restText    = "[; not up: {away}][; {broken}][; apart: {apart}]"
)

func says(severity Severity, text string) reasonRow { return waits("", severity, text) }

func waits(class string, severity Severity, text string) reasonRow {
	return reasonRow{severity, class, parseSentence(text)}
}

var reasons = map[Code]reasonRow{
	CodeNoOffer:   waits(WhyNoService, Warn, "nobody offers {type}"),
	CodeNoMatch:   waits(WhyNoService, Warn, "[{services=1}the filter of the only {type} service does not match this stream|no filter of the {services} {type} services matches this stream]"),
	CodeNoHost:    waits(WhyNoService, Warn, "no host that offers {type} is {host} ({hosts})"),
	CodeHostOpen:  waits(WhyNoService, Warn, "it is to run on {host}, and the stream has no value for that"),
	CodeNonsense:  waits(WhyNoService, Bad, "{broken}"),
	CodePinned:    waits(WhyPinned, Warn, "pinned to {host}[: {cause}]"),
	CodePinnedOff: waits(WhyPinned, Warn, "it offers no {type} that matches this stream"),
	CodeEachHost:  waits(WhyNoService, Warn, "it is for {host} alone"),
	CodeEachNone:  waits(WhyNoService, Warn, "{slot} is to run on every host that offers {type} to this stream, and none does"),
	CodeEachAway:  waits(WhyOwnHost, Info, "waits for its host: {host} is {away}"),
	CodeNeeds:     waits(WhyNeeds, Warn, "waits for {needs}"),
	CodeNeedsLost: waits(WhyNeeds, Warn, "needs {needs}, but {slot} is not in the chain of this stream"),
	CodeCycle:     waits(WhyNeeds, Warn, "cycle of needs: {cycle}"),
	CodeFull: waits(WhyFull, Warn, "[cooling down on {cooling}: {cause}; |cooling down on {cooling}; ]"+
		"[{services=1}the only {type} service that matches is full: {full}|all {services} {type} services that match are full: {full}|all that match and are up are full: {full}]"+restText),
	CodePoolFull: waits(WhyFull, Warn, "[cooling down on {cooling}: {cause}; |cooling down on {cooling}; ]"+
		"needs {needs} of {pool}; [{services=1}{host} has {left} of {size}|the emptiest, {host}, has {left} of {size}]"+restText),
	CodeCooldown:  waits(WhyCooldown, Bad, coolingText+restText),
	CodeNotUp:     waits(WhyNoService, Warn, "[not up: {away}; {broken}|no {type} service that matches is up: {away}][; apart: {apart}]"),
	CodeApart:     waits(WhyFull, Warn, "[apart: holds {holds} of this stream|apart: {apart}, and no other host offers a {type} that matches]"),
	CodeNoOther:   waits(WhyNoService, Warn, "no other host offers a {type} that matches"),
	CodeNoRoom:    waits(WhyFull, Warn, "[no room on {host}|no other host has room]"),
	CodeWith:      waits(WhyNeeds, Warn, "[it runs with {slot}, which is on {host}: {cause}|it runs with {slot}, which is on {host}|it runs with {slot}, which has no host yet]"),
	CodeOnHold:    waits(WhyHold, Warn, "[{cause}; nothing is taken or given for {ms} ms|on hold: {cause}|on hold]"),
	CodeUnclaimed: says(Warn, "host {host} did not take it up within {limit}"),
	CodeHostDown:  says(Warn, "host {host} is down"),

	CodeNotMoved:       says(Warn, "not moved[: {cause}]"),
	CodeDrainOff:       says(Info, "the drain was called off"),
	CodeSuccessorLate:  says(Warn, "its successor on {host} did not come up in time"),
	CodeSuccessorIdle:  says(Warn, "host {host} did not take up its successor in time"),
	CodeNotTaken:       says(Warn, "it was stopped, and no other host has taken it up yet"),
	CodeNotUpThere:     says(Bad, "it was stopped, and does not come up on {host}"),
	CodePinnedHere:     says(Warn, "it is pinned to {host}"),
	CodeFollows:        says(Info, "follows {slot}"),
	CodeNearer:         says(Info, "{would} of {target} instead of {was}"),
	CodePreferred:      says(Info, "{host} asks for it, or prefers others less"),
	CodeSpreads:        says(Info, "{would} other copies of the same {label} instead of {was}"),
	CodeEmptier:        says(Info, "it holds {there}, its own host {here}"),
	CodeParts:          says(Info, "it is apart from {with} and shares what it may not"),
	CodeTogether:       says(Info, "beside {with} by hand, though they are apart: {by}"),
	CodeMoveTo:         says(Info, "[to {host}|to any other host]"),
	CodeMoveFrom:       says(Info, "from {host}"),
	CodeMoved:          says(Info, "moved to {host}"),
	CodeMovedAway:      says(Info, "moved away"),
	CodeMoveOver:       says(Info, "its move is over"),
	CodeAsked:          says(Info, "an operator asked for it"),
	CodeVarsChanged:    says(Info, "its variables changed"),
	CodeNewSession:     says(Info, "its publisher began anew"),
	CodeEnded:          says(Info, "the stream ended"),
	CodeNotInChain:     says(Info, "no longer in the chain"),
	CodeNotItsHost:     says(Info, "{host} is not to have one any more: it is not offered there, not meant, or drained"),
	CodeManyHosts:      says(Warn, "{slot} is to run on {hosts} hosts, and a stream has {most} instances at most"),
	CodeOtherType:      says(Info, "its chain says that it is of type {type} now"),
	CodeTooMany:        says(Info, "its slot has one instance more than it wants"),
	CodeReady:          says(Info, "it is ready"),
	CodeLeadLost:       says(Info, "the one that led is gone"),
	CodeLeadUnready:    says(Warn, "the one that led was not ready for 5 s"),
	CodeHeld:           says(Info, "held by an operator"),
	CodeAllOff:         says(Warn, "all its slots are switched off by an operator"),
	CodeOverride:       says(Info, "{words}"),
	CodeUnwanted:       says(Info, "it is not wanted any more"),
	CodeUnreadable:     says(Bad, "{problems}"),
	CodeHostLeaves:     says(Info, "its host leaves"),
	CodeOffersNothing:  says(Info, "its host's file offers nothing any more"),
	CodeOffersOther:    says(Info, "this host does not offer it in this way any more"),
	CodeHostRenamed:    says(Warn, "the host's name was {host}"),
	CodeRunnerStops:    says(Bad, "this runner may not go on: {error}"),
	CodeEarlierLife:    says(Info, "it was to be released in an earlier life"),
	CodeHeldElsewhere:  says(Bad, "host {host} has it"),
	CodeAfter:          says(Info, "it comes after {instance}"),
	CodeTook:           says(Info, "it took {seconds} s"),
	CodeJobBehind:      says(Info, "waits behind slots: no job takes what one of these waits for, where it could have {type}"),
	CodeJobShare:       says(Info, "jobs have their share of the pools of the hosts where it could have {type}"),
	CodeNotEnded:       says(Warn, "what it comes after runs still: its host was only away"),
	CodeNeverStarted:   says(Warn, "it was not started before its runner was gone"),
	CodeDeadline:       says(Bad, "its deadline passed: the runner did not renew it in time"),
	CodeSupervisorTerm: says(Bad, "its supervisor was told to end by a signal"),
	CodeSupervisorKill: says(Bad, "its supervisor was killed"),
	CodeSupervisorEnd:  says(Bad, "its supervisor ended: {end}"),
	CodeDone:           says(Info, "done[ with code {code}]"),
	CodeTries:          says(Warn, "try {n} of {max}: {exit}[; the next in {pause}]"),
	CodeHostLost:       says(Bad, "its files were on {host}, which was given up"),
	CodeItemsFull:      says(Warn, "{waiting} items wait in their file: {open} jobs for others are open"),
	CodeJobFailed:      says(Bad, "it has failed after {n} tries: {exit}"),
	CodeNothingLives:   says(Warn, "nothing of it lives on its host"),
	CodeNotTakenOver:   says(Bad, "its host cannot take it over: {error}"),
	CodeAdopted:        says(Info, "adopted"),
	CodeNotWrittenDown: says(Bad, "it cannot be released before its end is written down: {error}"),
	CodeLifeOver:       says(Info, "this life of the host is over"),
	CodeNotGiven:       says(Info, "the slot is no longer given to this host under this token"),
	CodeSlotIs:         says(Info, "the slot is {state}"),

	CodeGap:          says(Warn, "nothing of it ran for {seconds} s"),
	CodeExited:       says(Bad, "{exit}[; {times} times lately]"),
	CodeExitedAway:   says(Warn, "{exit}; its publisher is away, so this counts for nothing"),
	CodeFailed:       says(Bad, "{exit}; failed {times} times here"),
	CodeStays:        says(Bad, "{exit}; failed {times} times here; there is no better host for it, so it is tried again here every {every}[; it failed {since} times since]"),
	CodeCannotStart:  says(Bad, "cannot start: {error}"),
	CodeClaimRefused: says(Bad, "Redis refuses the claim: {answer}"),
	CodeUnready:      says(Info, "[its output is not there yet, for which it has {limit}: {what}|its output is not there yet, for which it has {limit}][; before: {cause}]"),
	CodeStalled:      says(Bad, "stalled[: {text}]"),
	CodeWarning:      says(Warn, "{text}"),

	CodeUnwatched:        says(Warn, "[no scheduler has looked for {seconds} s|no scheduler has looked for a while]"),
	CodeNeverWatched:     says(Warn, "no scheduler has looked at this store yet"),
	CodeClockBack:        says(Warn, "the clock went back"),
	CodeClockJumped:      says(Warn, "the clock jumped"),
	CodeRestarted:        says(Warn, "the store was restarted"),
	CodePerhapsRestarted: says(Warn, "the store may have been restarted"),
	CodeOtherData:        says(Warn, "the store holds other data than before"),
	CodeEmpty:            says(Warn, "the store is empty"),
	CodeFirstStart:       says(Info, "first start"),
	CodeMassLapse:        says(Bad, "[{hosts} hosts lapsed at once; waiting {ms} ms|most hosts lapsed at once]"),
	CodeStoreForgot:      says(Warn, "a host holds what the store has lost"),
	CodeNoWrites:         says(Bad, "no scheduler can work, as Redis takes no writes: {answer}"),
	CodeNoLooks:          says(Bad, "no scheduler looks; Redis refuses {what} of {host}: {answer}; {do}"),
	CodeNoScheduler:      says(Bad, "no scheduler is at work, or none reaches this store; start one with scheduler.enabled: true, or read the log of one that runs"),

	CodeLapsed:         says(Bad, "its lease lapsed"),
	CodeLeaves:         says(Info, "it leaves"),
	CodeLeft:           says(Info, "it left"),
	CodeDownLong:       says(Info, "down for long"),
	CodeForGood:        says(Info, "an operator said that it will not come back"),
	CodeVersion:        says(Info, "{version}"),
	CodeHostLacks:      says(Warn, "not all that its file asks for holds here: {lacks}"),
	CodeCheckFails:     says(Bad, "its check fails: {error}; {type} takes nothing new here"),
	CodeCheckIgnored:   says(Warn, "its check fails: {error}; not heeded, as {failing} of {services} {type} services fail, so that the checker is suspected"),
	CodeCheckWell:      says(Info, "{type} is well again"),
	CodeBadCapacity:    says(Bad, "[{type}: ]capacity {capacity} is no whole number from 0 to 1000000"),
	CodeBadFilter:      says(Bad, "{error}"),
	CodeBadLabels:      says(Bad, "{error}"),
	CodeBadUses:        says(Bad, "uses of {type} is {uses}, which is no JSON object of whole thousandths by pool"),
	CodeBadPools:       says(Bad, "[{type}: ]pools of its host is {pools}, which is no JSON object of whole thousandths by pool"),
	CodeNoPool:         says(Bad, "[{type}: ]needs {needs} of {pool}, of which its host has {size}"),
	CodeMendedUsed:     says(Warn, "used of {type} was {was}, is {used}"),
	CodeMendedCapacity: says(Warn, "capacity of {type} was {was}, is {places}, as it has no more places"),
	CodeMendedLease:    says(Warn, "its lease was lost while it held slots"),
	CodeMendedSlots:    says(Warn, "{entries} entries of its slots"),
	CodeSetAside:       says(Bad, "{name} was a {was} and no {should}; it is set aside as {aside}: look at it, then DEL that"),
	CodeSource:         says(Info, "{source}"),
	CodeSourceFails:    says(Bad, "{source}: {error}"),
	CodeSourceFull:     says(Bad, "{source} announces the {max} streams it may; new ones are refused, such as {example}"),
	CodeSourceDropped:  says(Info, "{source}: {streams} streams"),
	CodeLayoutRaised:   says(Info, "layout {layout} instead of {was}: all who live speak it"),

	CodeRulesFirst:      says(Info, "{source}: v{version} of {author}, the first"),
	CodeRulesChanged:    says(Warn, "{source}: v{version} of {author}: {what}"),
	CodeRulesRaised:     says(Info, "{source}: v{version} of {author}, as they were"),
	CodeRulesRemembered: says(Info, "{source}: v{version} of {author}, as {host} remembers"),
	CodeRulesAccepted:   says(Warn, "{source}: v{version} of {author}, accepted by {by}: {what}"),
	CodeFileDiffers:     says(Bad, "{source}: the file of {host} differs: {what}; v{version} of {author} stays in force"),
	CodeFileAgrees:      says(Info, "{source}: the file of {host} says what is in force"),
	CodeNothingSaid:     says(Bad, "{source}: {host} announces nothing: {what}"),
	CodeWas:             says(Info, "{state}"),
}

// Codes are all codes, in order.
func Codes() []Code { return slices.Sorted(maps.Keys(reasons)) }

// Severity is how much the reason is somebody's business. Of one that is not known
// here, and of what a hand wrote, it is better to know.
func (r Reason) Severity() Severity {
	if r.IsZero() {
		return ""
	}
	if row, known := reasons[r.Code]; known {
		return row.severity
	}
	return Warn
}

// Waits is why a pending slot waits for this reason, in one word for metrics.
func (c Code) Waits() string {
	if row := reasons[c]; row.waits != "" {
		return row.waits
	}
	return WhyOther
}
