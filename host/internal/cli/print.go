package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// printer writes one line per step: for people, or one JSON object.
type printer struct {
	w    io.Writer
	json bool
	many bool // for steps of several runs: each line names its run
}

func (p printer) step(s engine.Step) error {
	if p.json {
		raw, err := json.Marshal(s)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.w, "%s\n", raw)
		return err
	}
	line := s.Time.Local().Format("15:04:05.000") + "  "
	if p.many {
		line += fmt.Sprintf("%-10s  %-27s  ", cmp.Or(s.Flow, "-"), cmp.Or(s.Run, "-"))
	}
	line += fmt.Sprintf("%-14s  %-10s  %s", s.Kind, s.Node, detail(s))
	_, err := fmt.Fprintln(p.w, printable(strings.TrimRight(line, " ")))
	return err
}

// skipped prints that about n steps are left out.
func (p printer) skipped(n uint64) error {
	_, err := fmt.Fprintf(p.w, "… about %d steps are not printed here; tapnode runs shows those of each run\n", n)
	return err
}

// printable escapes, in Go's notation, whatever a terminal would act on, such as an escape sequence
// in a name of a flow file.
func printable(s string) string {
	obeyed := func(r rune) bool { return unicode.IsControl(r) && r != '\n' || r == utf8.RuneError }
	if !strings.ContainsFunc(s, obeyed) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if obeyed(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// detail describes a step for a person.
func detail(s engine.Step) string {
	switch s.Kind {
	case run.TraceRunStarted:
		return s.Flow + ", run " + s.Run
	case run.TraceRunFinished:
		return strings.TrimSuffix(s.Code+": "+s.Message, ": ")
	case run.TraceNodeStarted:
		return s.Operation + logged(s)
	case run.TraceNodeSucceeded:
		line := "done"
		if s.MessageID != "" {
			line = "sent message " + s.MessageID
		}
		for _, w := range s.Warnings {
			line += "\n" + strings.Repeat(" ", 14) + "warning: " + w.Message
		}
		return line
	case run.TraceWaitArmed:
		return "waits for " + strings.Join(offered(s), ", ")
	case run.TraceWaitAnswered, run.TraceWaitRestarted:
		if s.ButtonID != "" {
			return fmt.Sprintf("button %q tapped, goes on at %s", s.ButtonID, s.Port)
		}
		return "goes on at " + s.Port
	case run.TraceNodeProgress, run.TraceNodeFailed, run.TraceNodeRetry, run.TraceWaitRefused, run.TraceWaitIgnored:
		return strings.TrimSuffix(s.Code+": "+s.Message, ": ")
	default:
		return s.Message
	}
}

// logged returns the message of a step of log@1, on one line, since customers' words may be in it.
func logged(s engine.Step) string {
	input, ok := s.Data.(map[string]any)
	if !ok || s.Operation != "log@1" {
		return ""
	}
	line := ""
	if level, _ := input["level"].(string); level != "" && level != "info" {
		line += " " + level + ":"
	}
	message, _ := input["message"].(string)
	line += " " + strconv.Quote(message)
	if data, err := json.Marshal(input["data"]); err == nil && input["data"] != nil {
		line += " " + string(data)
	}
	return line
}

// offered returns the ports by which an armed wait can be answered.
func offered(s engine.Step) []string {
	var ports []string
	raw, err := json.Marshal(s.Data)
	if err != nil || json.Unmarshal(raw, &ports) != nil {
		return nil
	}
	return ports
}
