package docs

import (
	"os/exec"
	"testing"

	"stream-api/internal/realtest"
)

// Prometheus reads the alert rules.
func TestAlertRulesAreReadByPrometheus(t *testing.T) {
	t.Parallel()
	promtool := realtest.Program(t, "promtool", "prometheus")
	if out, err := exec.Command(promtool, "check", "rules", "../../deploy/prometheus/alerts.yaml").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := exec.Command(promtool, "test", "rules", "testdata/alerts.yaml").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
