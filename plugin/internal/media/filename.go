package media

import (
	"mime"
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is how many characters of a file name are kept.
const maxName = 120

// fileName takes a document's name from Content-Disposition (RFC 6266), else from
// the URL's path; "" when neither has one.
func fileName(disposition string, u *url.URL) string {
	if _, params, err := mime.ParseMediaType(disposition); err == nil {
		if name := cleanName(params["filename"]); name != "" {
			return name
		}
	}
	return cleanName(path.Base(u.Path))
}

// cleanName makes a name that is only a name wherever the receiver saves it: no
// folders, no leading dots, nothing invisible or that turns the reading direction.
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
	ext := path.Ext(name)
	if len(ext) > 16 {
		ext = ""
	}
	runes := []rune(strings.TrimSuffix(name, ext))
	return string(runes[:maxName-len([]rune(ext))]) + ext
}
