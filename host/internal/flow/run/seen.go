package run

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// keepSeen is how many answers a run remembers so that none is applied twice: more than can be
// redelivered within one window.
const keepSeen = 1024

// seenSize is the length of one remembered answer.
const seenSize = 8

// seen holds the newest answers that a run has handled, oldest first, as eight characters of a
// digest each. A collision among 1,024 answers happens by chance in one run of 500 million.
type seen string

// mark returns the part of the digest by which an answer is remembered.
func mark(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:seenSize*6/8])
}

func (s seen) has(id string) bool {
	m := mark(id)
	for rest := string(s); len(rest) >= seenSize; rest = rest[seenSize:] {
		if strings.HasPrefix(rest, m) {
			return true
		}
	}
	return false
}

func (s seen) with(id string) seen {
	s += seen(mark(id))
	return s[max(0, len(s)-keepSeen*seenSize):]
}

// UnmarshalJSON also reads the list of ids that a host stored before 2026-12.
func (s *seen) UnmarshalJSON(src []byte) error {
	var ids []string
	if json.Unmarshal(src, &ids) == nil {
		*s = ""
		for _, id := range ids {
			*s = s.with(id)
		}
		return nil
	}
	return json.Unmarshal(src, (*string)(s))
}

// Took reports whether the run has taken the answer with this id, as far as it remembers.
func (s State) Took(answer string) bool { return answer != "" && s.Seen.has(answer) }
