package supervisor

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// childScore is the oom_score_adj of children (proc(5)): when memory is short they go before their supervisors, which keep
// the deadlines, and before most of what else runs.
const childScore = 500

// offerFirst has the kernel take pid, a child that is not reaped, before others. It never lowers: who is offered more readily already
// stays so. What the child had started before stays as it was.
func offerFirst(pid int) error {
	file := fmt.Sprintf("/proc/%d/oom_score_adj", pid)
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	score, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || score >= childScore {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.Itoa(childScore))
	return errors.Join(err, f.Close())
}
