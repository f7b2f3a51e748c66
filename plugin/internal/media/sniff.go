package media

import (
	"bytes"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
)

// sniffSize is how much of a file Sniff looks at.
const sniffSize = 512

// Sniff names the type of a file by its first bytes; "application/octet-stream"
// when they say nothing. It adds the 3GP and QuickTime brands to net/http's
// DetectContentType (WHATWG MIME Sniffing), which takes them for MP4 or nothing.
func Sniff(head []byte) string {
	if len(head) >= 12 && bytes.Equal(head[4:8], []byte("ftyp")) {
		switch brand := string(head[8:12]); {
		case strings.HasPrefix(brand, "3gp"), strings.HasPrefix(brand, "3g2"):
			return "video/3gpp"
		case brand == "qt  ":
			return "video/quicktime"
		case brand == "avif", brand == "avis", brand == "heic", brand == "heix", brand == "mif1":
			return "image/" + map[bool]string{true: "avif", false: "heic"}[strings.HasPrefix(brand, "avi")]
		case brand == "M4A ", brand == "M4B ":
			return "audio/mp4"
		default:
			return "video/mp4"
		}
	}
	t, _, _ := strings.Cut(http.DetectContentType(head), ";")
	return t
}

// fits reports whether WhatsApp shows a file of the type as the kind. Images that
// are not JPEG or PNG are converted.
func fits(mimetype string, kind buttons.MediaType) bool {
	switch kind {
	case buttons.Image:
		switch mimetype {
		case "image/jpeg", "image/png", "image/webp", "image/gif":
			return true
		}
		return false
	case buttons.Video:
		return mimetype == "video/mp4" || mimetype == "video/3gpp"
	}
	return kind == buttons.Document
}

// documentType decides what a document is called and typed as. Content that says
// nothing (or only "zip", as office files do) lets the server's word and the
// file's extension speak; they cannot turn a known type into another one.
func documentType(sniffed, contentType, name string) (mimetype, fileName string) {
	mimetype = sniffed
	vague := map[string]bool{"application/octet-stream": true, "application/zip": true, "text/plain": true, "text/xml": true}
	if vague[sniffed] {
		for _, claim := range []string{mime.TypeByExtension(path.Ext(name)), contentType} {
			if t, _, err := mime.ParseMediaType(claim); err == nil && !vague[t] && t != "text/html" {
				mimetype = t
				break
			}
		}
	}
	if name == "" {
		name = "document"
	}
	if path.Ext(name) == "" {
		name += extension(mimetype)
	}
	return mimetype, name
}

// extension is for a document whose name has none. The usual ones are fixed, since
// mime.ExtensionsByType depends on the machine.
func extension(mimetype string) string {
	return map[string]string{
		"application/pdf": ".pdf", "application/zip": ".zip", "image/jpeg": ".jpg", "image/png": ".png",
		"text/plain": ".txt", "text/csv": ".csv", "video/mp4": ".mp4",
	}[mimetype]
}
