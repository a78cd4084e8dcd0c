package queue

// The part of asynq's layout in Redis that is read here directly, because
// asynq's Inspector takes neither a context nor more than one queue a call,
// and samples memory at each. A test compares what is read with what the
// Inspector says.

// allQueues is the set of every queue's name, of all namespaces.
const allQueues = "asynq:queues"

// layout is the set of keys of one queue.
type layout string

func (q layout) key(name string) string { return "asynq:{" + string(q) + "}:" + name }

func (q layout) pending() string       { return q.key("pending") }   // list of ids, oldest last
func (q layout) active() string        { return q.key("active") }    // list of ids
func (q layout) lease() string         { return q.key("lease") }     // zset: id by end of its lease, Unix seconds
func (q layout) archived() string      { return q.key("archived") }  // zset: id by time of failure, Unix seconds
func (q layout) completed() string     { return q.key("completed") } // zset: id by time of expiry, Unix seconds
func (q layout) paused() string        { return q.key("paused") }    // exists while paused
func (q layout) processed() string     { return q.key("processed") } // count
func (q layout) failed() string        { return q.key("failed") }    // count
func (q layout) task(id string) string { return q.key("t:" + id) }   // hash

// pendingSince is the field of a task's hash with the time it was enqueued,
// in nanoseconds of the sender's clock.
const pendingSince = "pending_since"
