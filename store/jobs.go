package store

import (
	"encoding/json"
	"strconv"

	"stream-api/stream"
)

// JobFields are what the record of a job says besides what every instance has.
type JobFields struct {
	Name  string // of the job in its chain
	After string // the instance or job that it comes after
	Token string // of that
	Tries int    // how often it began, over all of its terms
	// Of, Stream and Source are ${of:<name>}, ${stream:<name>} and ${source:<name>}, as they
	// were when that ended. Of has host, reason (a code), began and ended (seconds since the
	// epoch) and, of a job for an item, item.
	Of, Stream, Source map[string]string
	Vars               map[string]string // of its item: ${slot:<name>}, as they are written
	Host               stream.Selector   // which hosts may run it, unless it is bound to one (Only); zero: all
	Born               int64             // server ms
}

func readJob(row map[string]string) *JobFields {
	j := &JobFields{
		Name: row["job"], After: row["of"], Token: row["oftoken"], Tries: atoi(row["tries"]), Born: atoi64(row["born"]),
		Of: readVars(row, "of:"), Stream: readVars(row, "stream:"), Source: readVars(row, "source:"), Vars: map[string]string{},
	}
	var vars map[string]string
	if json.Unmarshal([]byte(row["vars"]), &vars) == nil { // what a hand broke is none
		j.Vars = vars
	}
	if json.Unmarshal([]byte(row["labels"]), &j.Host) != nil {
		j.Host = stream.Selector{}
	}
	return j
}

// Fields are what the holder of a job keeps of its record, to restore it in a store that
// forgot: the form Copy.Fields has. only is the host that it is bound to, empty: none.
func (j JobFields) Fields(only string) map[string]string {
	out := map[string]string{"job": j.Name, "of": j.After, "oftoken": j.Token, "tries": strconv.Itoa(j.Tries), "born": strconv.FormatInt(j.Born, 10)}
	for scope, values := range map[string]map[string]string{"of:": j.Of, "stream:": j.Stream, "source:": j.Source} {
		for name, value := range values {
			out[scope+name] = value
		}
	}
	if only != "" {
		out["only"] = only
	}
	if text, err := json.Marshal(j.Vars); err == nil && len(j.Vars) > 0 {
		out["vars"] = string(text)
	}
	if text, err := json.Marshal(j.Host); err == nil && !j.Host.IsZero() {
		out["labels"] = string(text)
	}
	return out
}
