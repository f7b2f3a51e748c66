package nodetest

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"regexp"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk"
	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
	"github.com/tapnode/tapnode/sdk/schema"
)

func (s *suite) manifest(t *testing.T) sdk.Manifest {
	t.Helper()
	m, err := s.start(t, t.TempDir()).Describe(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (s *suite) describeTwice(t *testing.T) {
	l := s.start(t, t.TempDir())
	first, err := l.rpc.Describe(bounded(t), &nodepb.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := l.rpc.Describe(bounded(t), &nodepb.DescribeRequest{HostVersion: "9.9.9", HostFeatures: []string{"unheard.of"}})
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(first, second) {
		t.Error("two answers differ")
	}
	another, err := s.start(t, t.TempDir()).rpc.Describe(bounded(t), &nodepb.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(first, another) {
		t.Error("another process answers something else")
	}
}

func (s *suite) describeOffline(t *testing.T) {
	if s.Binary == "" {
		t.Skip("needs a binary")
	}
	cmd := exec.CommandContext(bounded(t), s.Binary, append(s.Args, "describe")...)
	cmd.Env = append([]string{}, s.Env...)
	cmd.Dir = t.TempDir()
	cmd.WaitDelay = lastWords
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var offline sdk.Manifest
	if err := json.Unmarshal(out, &offline); err != nil {
		t.Fatalf("describe prints no manifest: %v", err)
	}
	if a, b := manifestJSON(t, s.manifest(t)), manifestJSON(t, offline); !bytes.Equal(a, b) {
		t.Errorf("online  %s\noffline %s", a, b)
	}
}

// manifestJSON encodes a manifest with its schemas compacted.
func manifestJSON(t *testing.T, m sdk.Manifest) []byte {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	idForm   = regexp.MustCompile(`^[a-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*)*@[1-9][0-9]*$`)
	portForm = regexp.MustCompile(`^[a-z][a-z0-9_]*(:.+)?$`)
)

func (s *suite) describeWellFormed(t *testing.T) {
	m := s.manifest(t)
	if m.Name == "" || m.Version == "" || len(m.Operations) == 0 {
		t.Errorf("name %q, version %q, %d operations", m.Name, m.Version, len(m.Operations))
	}
	seen := map[string]bool{}
	for _, op := range m.Operations {
		if !idForm.MatchString(op.ID) || seen[op.ID] {
			t.Errorf("operation id %q is malformed or there twice", op.ID)
		}
		seen[op.ID] = true
		if op.Kind == "" {
			t.Errorf("%s has no kind", op.ID)
		}
		if op.Kind == sdk.KindTrigger && len(op.Events) == 0 {
			t.Errorf("%s is a trigger without events", op.ID)
		}
		ports := map[string]bool{}
		for _, p := range op.Ports {
			if !portForm.MatchString(p.ID) || ports[p.ID] {
				t.Errorf("%s: port %q is malformed or there twice", op.ID, p.ID)
			}
			ports[p.ID] = true
		}
		for _, r := range op.PortRules {
			if _, ok := jsonstrict.Tokens(r.Each); !ok || r.Each == "" || r.ID == "" {
				t.Errorf("%s: port rule %+v names no array or no port", op.ID, r)
			}
		}
	}
}

func (s *suite) describeSchemas(t *testing.T) {
	m := s.manifest(t)
	if settings, err := schema.Compile(m.Settings); err != nil {
		t.Errorf("settings: %v", err)
	} else if _, findings := settings.CheckSettings(s.Settings, s.Secrets); len(findings) > 0 {
		t.Errorf("the target's settings: %+v", findings)
	}
	inputs := map[string]*schema.Schema{}
	for _, op := range m.Operations {
		input, err := schema.Compile(op.Input)
		if err != nil {
			t.Errorf("%s: input: %v", op.ID, err)
			continue
		}
		inputs[op.ID] = input
		if _, err := schema.Compile(op.Output); err != nil {
			t.Errorf("%s: output: %v", op.ID, err)
		}
		for _, e := range op.Events {
			if _, err := schema.Compile(e.Schema); err != nil || e.Type == "" {
				t.Errorf("%s: event %q: %v", op.ID, e.Type, err)
			}
		}
	}
	for _, sample := range s.Samples {
		input, known := inputs[sample.Operation]
		if !known {
			t.Errorf("sample of unknown operation %s", sample.Operation)
			continue
		}
		if _, findings := input.Check(sample.Input); len(findings) > 0 {
			t.Errorf("sample of %s: %+v", sample.Operation, findings)
		}
	}
}
