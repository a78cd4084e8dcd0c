package stream

// State is the state of an instance of a slot. No other step exists than these;
// each bears the name of the script that takes it:
//
//	       want, succeed        place               claim
//	(absent) ──────▶ pending ─────────▶ assigned ─────────▶ running
//	   ▲ ▲              ▲ ▲                │ │               │ │ │
//	   │ └── want ──────┤ └─ unassign, ────┘ │               │ │ │
//	   │                │    reap            │               │ │ │
//	   ├── want ────────│────────────────────┘               │ │ │
//	   │                └─── release, reap ──────────────────┘ │ │
//	   │                                                       │ │
//	   └── release, reap ───── stopping ◀─── want, endmove ────┘ │
//	                               ▲                             │
//	                               └───────────── lead ──────────┘
//
// Release leads to pending what is still wanted, and out of stopping for good. Assert
// leads from pending and assigned to running, and in a hold from absent, too: what
// its holder runs, runs. Release and reap lead to absent what has a successor that
// runs, and take a successor that does not run with them. Mend leads back to pending
// what is no state, and takes no step of a life. A slot that returns while its
// instance is stopping gets another after that one's end.
type State string

// The states of an instance. Capacity is held in all but Pending and JobFailed.
const (
	Pending  State = "pending"  // wanted, in the queue of its type
	Assigned State = "assigned" // reserved for a host that has not claimed it
	Running  State = "running"  // claimed: the host runs it
	Stopping State = "stopping" // no longer wanted, its children still end
	// JobFailed is of a job alone, which release leads there: it was tried often enough.
	// Job leads back to pending.
	JobFailed State = "failed"
)

// Phase is where the child of a running instance stands. The record is running from
// the claim on, as from then on the slot is its host's; whether something is on
// air only its phase tells.
type Phase string

// The phases.
const (
	Runs     Phase = ""         // its child was started and has not failed since
	Starting Phase = "starting" // no child was started yet: pre_start runs, say
	Unready  Phase = "unready"  // its child runs, and its output is not there yet; shown as starting
	Failing  Phase = "failing"  // its child failed: it is down, or comes up and ends again and again
)

// HostState is the state of a host and of each of its services.
type HostState string

// The states of a host. Only Up takes new slots.
const (
	Up       HostState = "up"
	Cordoned HostState = "cordoned" // keeps what it has, takes nothing new
	Draining HostState = "draining" // hands over what it has
	Down     HostState = "down"     // its lease lapsed, or it left
)

// SourceState is what is known of a source.
type SourceState string

// The states of a source. A failed or unreadable poll means Unknown, never
// that a stream is gone.
const (
	SourceGood    SourceState = "good"
	SourceUnknown SourceState = "unknown"
)

// Handover is how a slot leaves a host that lives, on a planned move.
type Handover string

// The ways of a planned move.
const (
	// StopFirst ends the old child, then starts the new one: a gap, but
	// never two.
	StopFirst Handover = "stop_first"
	// StartFirst runs both for a moment: no gap, for sinks that allow it.
	StartFirst Handover = "start_first"
)
