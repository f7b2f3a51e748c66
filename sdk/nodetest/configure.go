package nodetest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
	"github.com/tapnode/tapnode/sdk/schema"
)

func (s *suite) validate(t *testing.T) {
	dir := t.TempDir()
	l := s.start(t, dir)
	m, err := l.Describe(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range m.Operations {
		for _, input := range hostile() {
			violations, warnings, err := l.Validate(bounded(t), op.ID, input.Bytes)
			if err != nil {
				t.Fatalf("%s: %s: %v", op.ID, input.Name, err)
			}
			for _, v := range violations {
				checkPointer(t, op.ID, v.Pointer, v.Code, v.Message)
			}
			for _, w := range warnings {
				checkPointer(t, op.ID, w.Pointer, w.Code, w.Message)
			}
		}
	}
	for _, sample := range s.Samples {
		if violations, _, err := l.Validate(bounded(t), sample.Operation, sample.Input); err != nil || len(violations) > 0 {
			t.Errorf("sample of %s: %+v, %v", sample.Operation, violations, err)
		}
	}
	_, _, err = l.Validate(bounded(t), "no.such@1", nil)
	wantCode(t, err, codes.NotFound)
	if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != dir {
			t.Errorf("Validate has left %s", path)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

func checkPointer(t *testing.T, operation, pointer, code, message string) {
	t.Helper()
	if _, ok := jsonstrict.Tokens(pointer); !ok || code == "" || message == "" {
		t.Errorf("%s: violation or warning %q %q %q: needs a JSON Pointer, a code and a message", operation, pointer, code, message)
	}
}

func (s *suite) configureBad(t *testing.T) {
	l := s.start(t, t.TempDir())
	for _, bad := range hostile() {
		if schema.Document(bad.Bytes) == nil || len(bad.Bytes) == 0 {
			continue // it is a valid document, or empty and means the defaults: the schema may accept it
		}
		setup := s.setup(l.dir)
		setup.Settings = bad.Bytes
		p, ok := errors.AsType[*sdk.Problem](l.Configure(bounded(t), setup))
		if !ok || len(p.Violations) == 0 {
			t.Errorf("settings %s: got no violation", bad.Name)
		}
	}
	if err := l.Configure(bounded(t), s.setup(l.dir)); err != nil {
		t.Errorf("good settings after bad ones: %v", err)
	}
}

func (s *suite) configureOnce(t *testing.T) {
	l := s.start(t, t.TempDir())
	for _, sample := range s.Samples {
		_, err := l.Execute(bounded(t), request(sample, "early"), nil)
		wantCode(t, err, codes.FailedPrecondition)
	}
	wantCode(t, l.WatchHealth(bounded(t), func(sdk.Health) {}), codes.FailedPrecondition)
	if err := l.Configure(bounded(t), s.setup(l.dir)); err != nil {
		t.Fatal(err)
	}
	wantCode(t, l.Configure(bounded(t), s.setup(l.dir)), codes.FailedPrecondition)
	if info, err := os.Stat(l.dir); err != nil || !info.IsDir() {
		t.Errorf("the state directory: %v", err)
	}
}

func wantCode(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if te, ok := errors.AsType[*client.TransportError](err); !ok || te.Code != want {
		t.Errorf("error %v, want %v", err, want)
	}
}

func request(sample Sample, key string) client.Request {
	return client.Request{Operation: sample.Operation, Input: sample.Input, Key: key}
}
