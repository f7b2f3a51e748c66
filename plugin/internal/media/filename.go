package media

import (
	"mime"
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// maxName is the maximum length of a file name, in characters.
const maxName = 120

// urlName returns the name in a URL's path, or "".
func urlName(u *url.URL) string { return cleanName(latin(path.Base(u.Path))) }

// dispositionName reads the name from a Content-Disposition header (RFC 6266), or returns "". It
// also accepts what servers really send: a name without the type or the quotes, in raw UTF-8 or
// Latin-1, percent-encoded or as an encoded word of mail, or with the path on the server's disk.
func dispositionName(header string) string {
	var plain, extended string
	for rest := header; rest != ""; {
		var name, value string
		name, value, rest = nextParameter(rest)
		switch {
		case name == "filename" && plain == "":
			plain = cleanName(readable(value))
		case name == "filename*" && extended == "":
			extended = cleanName(extendedValue(value))
		}
	}
	if extended != "" {
		return extended
	}
	return plain
}

// nextParameter splits off one "name=value", up to the next semicolon outside quotes. A quoted
// value is unquoted; a backslash is an escape only before a quote or another backslash, and
// otherwise part of a path.
func nextParameter(s string) (name, value, rest string) {
	end := strings.IndexAny(s, ";=")
	if end < 0 || s[end] == ';' {
		_, rest, _ = strings.Cut(s, ";")
		return "", "", rest
	}
	name, s = strings.ToLower(strings.TrimSpace(s[:end])), strings.TrimLeft(s[end+1:], " \t")
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ";")
		return name, strings.TrimSpace(value), rest
	}
	var b strings.Builder
	i := 1
	for ; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
			i++
		}
		b.WriteByte(s[i])
	}
	_, rest, _ = strings.Cut(s[min(i, len(s)):], ";")
	return name, b.String(), rest
}

// extendedValue decodes charset'language'percent-encoded (RFC 8187), or returns "" if it cannot.
func extendedValue(s string) string {
	parts := strings.SplitN(s, "'", 3)
	if len(parts) < 3 { // only the value
		return readable(s)
	}
	value, err := url.PathUnescape(parts[2])
	switch strings.ToLower(parts[0]) {
	case "utf-8", "utf8", "iso-8859-1", "windows-1252", "":
	default:
		return "" // browsers read no other charset; the plain parameter should exist, too
	}
	if err != nil {
		return ""
	}
	return latin(value)
}

// readable decodes a name that servers may encode in several ways.
func readable(s string) string {
	if strings.Contains(s, "=?") {
		if word, err := new(mime.WordDecoder).DecodeHeader(s); err == nil {
			s = word
		}
	}
	if unescaped, err := url.PathUnescape(s); err == nil && utf8.ValidString(unescaped) {
		s = unescaped
	}
	return latin(s)
}

// latin decodes text that is not UTF-8 as Latin-1 with the Windows extensions.
func latin(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	s, _ = charmap.Windows1252.NewDecoder().String(s) // every byte is a character
	return s
}

// cleanName reduces a name to a plain file name that is safe wherever the receiver saves it: no
// folders, no leading dots, nothing invisible, and nothing that changes the reading direction.
func cleanName(name string) string {
	name = strings.ToValidUTF8(name, "")
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '/' || r == '\\':
			return '/'
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r) || strings.ContainsRune(`:*?"<>|`, r):
			return -1
		}
		return r
	}, name)
	name = name[strings.LastIndexByte(name, '/')+1:]
	name = strings.TrimRight(strings.TrimLeft(name, " ."), " .")
	if utf8.RuneCountInString(name) <= maxName {
		return name
	}
	if ext := path.Ext(name); len(ext) <= 16 {
		return clip(strings.TrimSuffix(name, ext), ext)
	}
	return clip(name, "")
}
