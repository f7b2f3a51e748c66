package flow

import (
	"fmt"
	"strconv"
	"time"
)

// Duration is a length of time written as in "30s", "1h30m" or "3d".
type Duration time.Duration

var units = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}

// UnmarshalText reads the form of schemas/flow.json.
func (d *Duration) UnmarshalText(text []byte) error {
	var sum time.Duration
	start := 0
	for i, c := range text {
		unit, ok := units[c]
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(string(text[start:i]), 10, 31)
		if err != nil || time.Duration(n) > (1<<62-sum)/unit {
			return fmt.Errorf("%.40q is not a duration such as 30s, 1h30m or 3d", text)
		}
		sum += time.Duration(n) * unit
		start = i + 1
	}
	if start == 0 || start != len(text) {
		return fmt.Errorf("%.40q is not a duration such as 30s, 1h30m or 3d", text)
	}
	*d = Duration(sum)
	return nil
}

// MarshalText writes whole seconds, which UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%ds", time.Duration(d)/time.Second), nil
}
