package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/tapnode/tapnode/sdk/schema"
)

// trigger is a Trigger ready to start runs.
type trigger struct {
	Trigger
	events   []string  // event types it accepts
	event    any       // the schema of the first of them; nil if there is none
	words    *words    // nil: any words
	when     *template // nil: always
	vars     *input
	key      *template // of Concurrency; nil: one for the whole flow
	webhook  *Webhook
	schedule *Schedule
}

// Trigger finds a trigger by its id.
func (p *Program) Trigger(id string) (Trigger, error) {
	t, err := p.trigger(id)
	if err != nil {
		return Trigger{}, err
	}
	return t.Trigger, nil
}

func (p *Program) trigger(id string) (*trigger, error) {
	t, ok := p.triggers[id]
	if !ok {
		return nil, fmt.Errorf("flow %s has no trigger %q", p.flow.Metadata.ID, id)
	}
	return t, nil
}

// Events returns the event types that a trigger accepts.
func (p *Program) Events(triggerID string) []string {
	if t, ok := p.triggers[triggerID]; ok {
		return t.events
	}
	return nil
}

// Match reports whether an event matches the words of a trigger and passes its condition.
func (p *Program) Match(triggerID string, data any) (bool, error) {
	t, err := p.trigger(triggerID)
	if err != nil {
		return false, err
	}
	if said, _ := member(data, wordsMember).(string); t.words != nil && !t.words.match(said) {
		return false, nil
	}
	if t.when == nil {
		return true, nil
	}
	v, err := t.when.eval(p.bindTrigger(Scope{Event: data}))
	if err != nil {
		return false, fmt.Errorf("trigger %s: when: %w", t.ID, err)
	}
	return v == true, nil
}

// Interrupts reports whether an event that Match lets through starts a run even if it would answer
// a wait: such a word restarts the conversation, whatever was asked last. This holds for a trigger
// with match and the policy replace.
func (p *Program) Interrupts(triggerID string) bool {
	t, ok := p.triggers[triggerID]
	return ok && t.words != nil && t.Concurrency != nil && t.Concurrency.Policy == PolicyReplace
}

// maxKey is the maximum length of a concurrency key in bytes; a longer key is replaced by its
// digest.
const maxKey = 256

// Concurrency returns the key of a run that is about to start, and the policy that applies while
// other runs of the flow with the same key have not ended. s holds the run's id, its event and the
// Variables it begins with. If the key evaluates to the empty string, the run conflicts with no
// other: the policy is then parallel. A trigger that has a policy but no key gives the empty key,
// which is that of the whole flow.
func (p *Program) Concurrency(triggerID string, s Scope) (Concurrency, error) {
	t, err := p.trigger(triggerID)
	if err != nil || t.Concurrency == nil || t.key == nil {
		if err != nil || t.Concurrency == nil {
			return Concurrency{Policy: PolicyParallel}, err
		}
		return Concurrency{Policy: t.Concurrency.Policy}, nil
	}
	b := p.bindTrigger(s)
	b["vars"] = orEmpty(s.Vars)
	v, err := t.key.eval(b)
	if err != nil {
		return Concurrency{}, fmt.Errorf("trigger %s: concurrency: key: %w", t.ID, err)
	}
	key := text(v)
	if key == "" {
		return Concurrency{Policy: PolicyParallel}, nil
	}
	if len(key) > maxKey {
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:])
	}
	return Concurrency{Key: key, Policy: t.Concurrency.Policy}, nil
}

// Webhook says how a trigger of type webhook is called; nil for every other type.
func (p *Program) Webhook(triggerID string) *Webhook {
	if t, ok := p.triggers[triggerID]; ok {
		return t.webhook
	}
	return nil
}

// Schedule says when a trigger of type schedule starts runs; nil for every other type.
func (p *Program) Schedule(triggerID string) *Schedule {
	if t, ok := p.triggers[triggerID]; ok {
		return t.schedule
	}
	return nil
}

// EventFindings checks an event that a caller made up for a trigger. The pointers of the findings
// are those of the request, which has the event at /event.
func (p *Program) EventFindings(triggerID string, data any) []Finding {
	const place = "/event"
	t, ok := p.triggers[triggerID]
	switch {
	case !ok:
		return nil
	case t.event == nil:
		return []Finding{{Pointer: place, Severity: SeverityError, Code: "no_event", Message: fmt.Sprintf("a trigger of type %s has no event", t.Type), Suggestion: "leave it out"}}
	}
	s, err := schema.CompileValue(t.event, schema.AssertFormats())
	if err != nil { // the node's schema is at fault, not the event
		return nil
	}
	var out []Finding
	for _, f := range s.Findings(data) {
		out = append(out, Finding{Pointer: place + f.Pointer, Severity: SeverityError, Code: f.Code, Message: f.Message, Suggestion: f.Suggestion})
	}
	return out
}
