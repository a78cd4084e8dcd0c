package supervisor

import (
	"errors"
	"os"
	"sync"
	"time"
)

// drainTime bounds the wait for what a gone tree has left in its pipes. Somebody outside the tree may hold them open, so
// their end is not waited for.
const drainTime = 250 * time.Millisecond

// output is the pair of pipes behind a process's stdout and stderr.
type output struct {
	read  [2]*os.File
	write [2]*os.File
	pumps sync.WaitGroup
}

// newOutput makes the pipes and pumps their lines to j under the given marks; sign is called for each piece of output.
func newOutput(j *journal, marks [2]string, sign func()) (*output, error) {
	o := &output{}
	for i := range marks {
		r, w, err := os.Pipe()
		if err != nil {
			o.started()
			o.drain()
			return nil, err
		}
		o.read[i], o.write[i] = r, w
		mark := marks[i]
		o.pumps.Go(func() {
			c := cutter{room: j.room(), line: func(text []byte, cut bool) { j.line(mark, text, cut) }}
			pump(r, newPieces(&c, func(text []byte) { j.piece(mark, text) }), sign)
		})
	}
	return o, nil
}

func pump(r *os.File, c *pieces, sign func()) {
	buf := make([]byte, 8<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			sign()
			c.write(buf[:n])
		}
		if err != nil { // its end, or drain's deadline
			c.flush()
			return
		}
	}
}

// started gives up our own copies of the ends the process writes to.
func (o *output) started() {
	for _, w := range o.write {
		if w != nil {
			_ = w.Close() // nothing was written to it by us
		}
	}
}

// drain reads what is left and closes the pipes.
func (o *output) drain() {
	var errs []error
	for _, r := range o.read {
		if r != nil {
			errs = append(errs, r.SetReadDeadline(time.Now().Add(drainTime)))
		}
	}
	if errors.Join(errs...) == nil { // else they are closed below, which ends the pumps as well
		o.pumps.Wait()
	}
	for _, r := range o.read {
		if r != nil {
			_ = r.Close() // read only
		}
	}
	o.pumps.Wait()
}
