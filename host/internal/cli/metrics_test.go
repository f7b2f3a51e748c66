package cli

import (
	"regexp"
	"strings"
	"testing"
)

// TestMetrics looks at the metrics of a server that has run a flow to its end.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t, "--instance", "5511300000042")
	s.until(t, `wait.armed +ask`)
	for _, lives := range []struct{ name, line string }{
		{"a run goes on", `tapnode_runs{status="running"} 1`},
		{"it waits", `tapnode_waits 1`},
	} {
		deadline(t, func() bool { return strings.Contains(s.metrics(t), lives.line) })
	}
	if status, body := s.do(t, "POST", "/sim/v1/phones/5511999990001/click?wait=10s", `{"buttonId":"billing"}`); status > 201 {
		t.Fatalf("click: %d %s", status, body)
	}
	s.until(t, `run.finished`)
	go func() { // the rest of the steps
		for s.lines.Scan() {
		}
	}()
	for _, line := range []string{
		`tapnode_ready 1`,
		`tapnode_runs_started_total{flow="menu"} 1`,
		`tapnode_runs_ended_total{flow="menu",status="succeeded"} 1`,
		`tapnode_steps_total{kind="wait.armed"} 1`,
		`tapnode_steps_total{kind="wait.answered"} 1`,
		`tapnode_call_seconds_count{operation="whatsapp.sendButtons@1",outcome="ok"} 1`,
		`tapnode_calls_running{operation="whatsapp.sendButtons@1"} 0`,
		`tapnode_task_late_seconds_count{queue="calls"} `,
		`tapnode_append_seconds_count `,
		`tapnode_db_commits_total{synced="yes"} `,
		`tapnode_tasks_due{queue="timeouts"} 0`,
		`tapnode_dead_letters 0`,
		`tapnode_node_state{node="whatsapp-send-buttons",state="degraded"} 1`,
		`tapnode_instance_state{instance="demo",node="whatsapp-send-buttons",reason="connected",state="healthy"} 1`,
		`tapnode_http_request_seconds_count{route="GET /metrics",status="200"} `,
		`go_goroutines `, `process_resident_memory_bytes `,
	} {
		deadline(t, func() bool { return strings.Contains(s.metrics(t), line) })
	}
	if found := regexp.MustCompile(`[a-z]="[^"\n]*\d{7,}[^"\n]*"`).FindAllString(s.metrics(t), -1); len(found) > 0 {
		t.Errorf("numbers in labels: %v", found)
	}
	token := s.token
	s.token = ""
	if status, _ := s.do(t, "GET", "/metrics", "", "X-Forwarded-For", "192.0.2.1"); status != 401 {
		t.Errorf("through a proxy without a token: %d", status)
	}
	s.token = token
	if status, _ := s.do(t, "GET", "/metrics", "", "X-Forwarded-For", "192.0.2.1"); status != 200 {
		t.Errorf("through a proxy with an account token: %d", status)
	}
}

// metrics reads the metrics as Prometheus does: without a token.
func (s *served) metrics(t *testing.T) string {
	t.Helper()
	here := &served{url: s.url}
	status, body := here.do(t, "GET", "/metrics", "")
	if status != 200 {
		t.Fatalf("metrics: %d %s", status, body)
	}
	return body
}
