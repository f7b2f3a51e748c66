package process

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"strings"
)

// maxAttrs bounds the attributes taken from one line.
const maxAttrs = 32

// record is one log line that a node wrote as JSON.
type record struct {
	level   slog.Level
	message string
	attrs   []slog.Attr
}

// parseRecord reads a line of hclog (@level, @message, @timestamp) or of slog
// (level, msg, time). The time is dropped: only the host's own times can be compared.
// It returns false for anything else, whatever its types.
func parseRecord(line []byte) (record, bool) {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	var fields map[string]any
	if dec.Decode(&fields) != nil {
		return record{}, false
	}
	if _, err := dec.Token(); err != io.EOF { //nolint:errorlint // the decoder returns the bare value
		return record{}, false
	}
	message, ok := text(fields, "@message", "msg")
	if !ok {
		return record{}, false
	}
	level, ok := text(fields, "@level", "level")
	if !ok {
		return record{}, false
	}
	delete(fields, "@timestamp")
	delete(fields, "time")

	rec := record{level: clamp(level), message: message}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names[:min(len(names), maxAttrs)] {
		rec.attrs = append(rec.attrs, slog.Any(attrName(name), fields[name]))
	}
	return rec, true
}

// text removes and returns the first of the named members that is a string.
func text(fields map[string]any, names ...string) (string, bool) {
	for _, name := range names {
		if s, ok := fields[name].(string); ok {
			delete(fields, name)
			return s, true
		}
	}
	return "", false
}

// attrName strips hclog's @ and renames attributes that would pass for the host's own.
func attrName(name string) string {
	name = strings.TrimPrefix(name, "@")
	switch name {
	case "", slog.TimeKey, slog.LevelKey, slog.MessageKey, slog.SourceKey, "node", "pid":
		return name + "_"
	}
	return name
}

// clamp maps a level's name to Debug…Error; an unknown one is Info.
func clamp(name string) slog.Level {
	switch strings.ToLower(name) {
	case "trace", "debug":
		return slog.LevelDebug
	case "warn", "warning":
		return slog.LevelWarn
	}
	var level slog.Level
	if level.UnmarshalText([]byte(name)) != nil { // knows "ERROR+4"
		return slog.LevelInfo
	}
	return max(slog.LevelDebug, min(level, slog.LevelError))
}
