package cli

import (
	"errors"
	"flag"
	"strconv"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/host/internal/flow"
)

// retention says how long runs that are over are kept, and how many runs there may be.
type retention struct {
	age span
	max count
}

func retentionFlags(fs *flag.FlagSet) *retention {
	r := &retention{span(30 * 24 * time.Hour), 1_000_000}
	fs.Var(&r.age, "keep", "remove runs, with their history, this `TIME` after they are over, such as 90d")
	fs.Var(&r.max, "keep-runs", "keep at most this `NUMBER` of runs: beyond it those that were over first go, and never one that goes on")
	return r
}

func (r *retention) limits() sqllog.Limits {
	return sqllog.Limits{Keep: time.Duration(r.age), Runs: int(r.max)}
}

// span is a flag with a length of time as flows write it.
type span time.Duration

func (s *span) String() string {
	if d := time.Duration(*s); d > 0 {
		return flow.Span(d)
	}
	return ""
}

func (s *span) Set(v string) error {
	var d flow.Duration
	if err := d.UnmarshalText([]byte(v)); err != nil {
		return err
	}
	if d < flow.Duration(time.Hour) {
		return errors.New("want at least 1h")
	}
	*s = span(d)
	return nil
}

// count is a flag with a number above 0.
type count int

func (n *count) String() string {
	if *n > 0 {
		return strconv.Itoa(int(*n))
	}
	return ""
}

func (n *count) Set(v string) error {
	i, err := strconv.Atoi(v)
	if err != nil || i < 1 {
		return errors.New("want a number above 0")
	}
	*n = count(i)
	return nil
}
