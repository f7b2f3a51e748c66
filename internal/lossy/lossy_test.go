package lossy_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/internal/lossy"
)

func notice(n int) []byte { return fmt.Appendf(nil, "%d dropped\n", n) }

// A program that ends right after a Write has lost nothing.
func TestWriteArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got bytes.Buffer
		w := lossy.New(&got, notice)
		for i := range 1000 {
			if n, err := fmt.Fprintf(w, "%d\n", i); err != nil || n == 0 {
				t.Fatal(n, err)
			}
			if want := fmt.Sprintf("%d\n", i); !strings.HasSuffix(got.String(), want) {
				t.Fatalf("write %d has returned and is not there", i)
			}
		}
		w.Close()
	})
}

// One write waits, the others do not. Writes that do not fit are counted, and the reader is told
// when it reads again.
func TestNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, to := io.Pipe()
		w := lossy.New(to, notice)
		began := time.Now()
		line := bytes.Repeat([]byte("x"), 1023)
		line = append(line, '\n')
		const writes = 3000
		for range writes {
			_, _ = w.Write(line)
		}
		if took := time.Since(began); took != lossy.MaxWait {
			t.Errorf("the writes took %v", took)
		}
		read := make(chan string)
		go func() {
			text, _ := io.ReadAll(r)
			read <- string(text)
		}()
		synctest.Wait() // the reader has caught up
		_, _ = fmt.Fprintln(w, "again")
		w.Close()
		_ = to.Close()
		text := <-read
		arrived := strings.Count(text, "xxx\n")
		if want := fmt.Sprintf("%d dropped\n", writes-arrived); !strings.Contains(text, want) || arrived < 1000 || !strings.HasSuffix(text, "again\n") {
			t.Errorf("%d of %d lines arrived, and no %q", arrived, writes, want)
		}
	})
}

// Close gives up on a reader that does not read.
func TestCloseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, to := io.Pipe()
		w := lossy.New(to, nil)
		_, _ = w.Write([]byte("never read"))
		began := time.Now()
		w.Close()
		if took := time.Since(began); took != lossy.MaxWait {
			t.Errorf("Close took %v", took)
		}
		_ = r.Close() // the goroutine ends with the pipe
	})
}

type broken struct{ io.Writer }

func (broken) Write([]byte) (int, error) { return 0, errors.New("the pipe is broken") }

func TestReaderIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := lossy.New(broken{}, notice)
		began := time.Now()
		for range 100 {
			if n, err := w.Write([]byte("x")); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
		w.Close()
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
	})
}
