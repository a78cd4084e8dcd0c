package stream

// JobsStatus counts the jobs that are not done, which no list of slots has.
type JobsStatus struct {
	JobCounts
	// Types are the counts by the service type that runs them.
	Types map[string]JobCounts `json:"types"`
}

// JobCounts are how many jobs there are.
type JobCounts struct {
	Waiting int `json:"waiting"`
	Running int `json:"running"`
	Failed  int `json:"failed"` // for good: they wait for an operator
	// Oldest is when the oldest of those that wait or run was made.
	Oldest int64 `json:"oldest"`
}

// Count takes in one job that was made then.
func (c *JobCounts) Count(state State, born int64) {
	switch state {
	case JobFailed:
		c.Failed++
		return
	case Running, Stopping:
		c.Running++
	default:
		c.Waiting++
	}
	if c.Oldest == 0 || born < c.Oldest {
		c.Oldest = born
	}
}

// JobStatus is one job: what is to be done once a child has ended. Its JSON is a contract
// (`jobs ls -o json`).
type JobStatus struct {
	Stream  string `json:"stream" show:"name"`
	Job     string `json:"job" show:"name"`  // the instance
	Name    string `json:"name" show:"name"` // in its chain
	Type    string `json:"type" show:"name"` // of the service
	State   State  `json:"state"`            // pending, assigned, running, stopping, failed, or done
	Host    string `json:"host" show:"name"` // that runs it, ran it, or where it failed
	Token   string `json:"token" show:"name"`
	Of      string `json:"of" show:"name"`       // the instance that it comes after
	OfHost  string `json:"of_host" show:"name"`  // where that ended, and its files are
	OfToken string `json:"of_token" show:"name"` // of that
	Item    string `json:"item"`                 // the line that it is for; empty: it is for an end
	BoundTo string `json:"bound_to" show:"name"` // the one host that may run it; empty: any that its chain means
	Born    int64  `json:"born"`
	Since   int64  `json:"since"` // of State
	Tries   int    `json:"tries"` // how often it began
	// Told is why it waits, or what came of the last try.
	Told
	Exit   string   `json:"exit"`
	Stderr []string `json:"stderr"`
	// Values are what its program may use: of:<name>, stream:<name>, source:<name>.
	Values map[string]string `json:"values,omitempty"`
	// Code is what its child ended with that is done, Began and Ended when that ran.
	Code  int   `json:"code"`
	Began int64 `json:"began"`
	Ended int64 `json:"ended"`
}

// JobDone is the state of a job that is done, which no record has.
const JobDone State = "done"
