package media

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
)

// describe determines the type and name of a document. The content decides. Where the content says
// little (a text, an archive such as an office file, or an unknown format), the name and then the
// server's Content-Type may make the type more specific, but they cannot contradict it. The name
// gets an extension that matches the type.
func describe(m *buttons.Media, mediaType, under string, got *fetched) {
	var claims []string
	for _, name := range got.names {
		claims = append(claims, extensionOf(name))
	}
	if t := withoutParameters(got.contentType); t != text { // servers send this type for any file
		claims = append(claims, t)
	}
	for _, claim := range claims {
		if t, ok := typeOf(claim); ok && t.refines(mediaType, under) {
			mediaType = t.name
			break
		}
	}
	name := got.name(mediaType)
	m.Mimetype, m.FileName = mediaType, rename(name, mediaType, under)
	switch _, known := typeOf(extensionOf(name)); {
	case m.FileName == name:
	case mediaType == "text/html":
		warn(m, warnPage, "The file behind mediaUrl is a web page (HTML), not a document such as a PDF: link the file itself.")
	case known && extensionOf(m.FileName) != extensionOf(name) && mediaType != "application/gzip":
		warn(m, warnMisnamed, fmt.Sprintf("The file behind mediaUrl is not what its name %q says: it is sent as %s, named %q.", name, mediaType, m.FileName))
	}
}

// name returns the name from the header; otherwise the first of the links' names that fits the
// type, or the first of all.
func (f *fetched) name(mediaType string) string {
	if len(f.names) == 0 {
		return "document"
	}
	fitting := slices.IndexFunc(f.names, func(n string) bool { return slices.Contains(extensions(mediaType), extensionOf(n)) })
	if f.named || fitting < 0 {
		return f.names[0]
	}
	return f.names[fitting]
}

// rename gives the name the extension of the type. An unknown extension stays on an archive or a
// text, where it may be right; for any other type it may be the end of a sentence, so the right one
// is appended.
func rename(name, mediaType, under string) string {
	all, has := extensions(mediaType), extensionOf(name)
	if len(all) == 0 || slices.Contains(all, has) {
		return name
	}
	_, known := typeOf(has)
	known = known || slices.Contains(programs, has)
	open := under == text || under == zip || under == ole || mediaType == zip || mediaType == ole
	switch {
	case open && !known && isExtension(has):
		return name
	case known && mediaType != "application/gzip": // gzip keeps the extension of the file it packs
		name = name[:len(name)-len(has)]
		if slices.Contains(all, extensionOf(name)) {
			return name
		}
	}
	return clip(name, all[0])
}

// programs are extensions of server programs that may answer with any file.
var programs = []string{".php", ".php5", ".asp", ".aspx", ".ashx", ".jsp", ".jspx", ".do", ".action", ".cgi", ".pl", ".py", ".rb", ".cfm", ".dll"}

// extensionOf returns the part of the name from the last dot on, in lower case.
func extensionOf(name string) string { return strings.ToLower(path.Ext(name)) }

// isExtension distinguishes an extension from the end of a sentence.
func isExtension(s string) bool {
	return len(s) >= 2 && len(s) <= 10 && !strings.ContainsFunc(s[1:], func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) &&
		strings.ContainsFunc(s, func(r rune) bool { return r >= 'a' && r <= 'z' })
}

// clip shortens a name so that it still ends with the extension.
func clip(name, extension string) string {
	if room := maxName - utf8.RuneCountInString(extension); utf8.RuneCountInString(name) > room {
		name = string([]rune(name)[:room])
	}
	return name + extension
}
