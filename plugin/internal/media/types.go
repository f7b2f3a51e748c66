package media

import (
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
)

// headSize is how many bytes of a file determine its type: enough for the first names inside an
// office file.
const headSize = 64 << 10

const (
	unknown = "application/octet-stream"
	text    = "text/plain"
)

// sniff returns the type of a file from its first bytes, or unknown. under is the more general
// type: text, a ZIP archive or OLE storage; otherwise the type itself.
func sniff(head []byte) (mediaType, under string) {
	m := mimetype.Detect(head)
	mediaType = withoutParameters(m.String())
	under = mediaType
	for p := m; p != nil; p = p.Parent() {
		switch t := withoutParameters(p.String()); t {
		case text, "application/zip", "application/x-ole-storage":
			under = t
		}
	}
	if same, ok := sameAs[mediaType]; ok {
		mediaType, under = same, same
	}
	return mediaType, under
}

// sameAs maps types to the type under which they are sent.
var sameAs = map[string]string{
	"image/apng": "image/png", "video/x-m4v": "video/mp4", "video/3gpp2": "video/3gpp", "audio/x-m4a": "audio/mp4",
	"application/xhtml+xml": "text/html", "text/html": "text/html", "image/svg+xml": "image/svg+xml", "text/rtf": "text/rtf", // under themselves: not a text that may take any name
}

// withoutParameters removes parameters such as a charset.
func withoutParameters(t string) string {
	t, _, _ = strings.Cut(t, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// fits reports whether WhatsApp shows a file of this type as the kind. Images other than JPEG and
// PNG are converted.
func fits(mediaType string, kind buttons.MediaType) bool {
	switch kind {
	case buttons.Image:
		return looks[mediaType] != nil
	case buttons.Video:
		return mediaType == "video/mp4" || mediaType == "video/3gpp"
	}
	return kind == buttons.Document
}

// fileType is a document type. The table is our own, because package mime's depends on the machine.
type fileType struct {
	name       string
	extensions []string // the first is the preferred one
	of         string   // the more general type that the content may appear as
}

const (
	ooxml = "application/vnd.openxmlformats-officedocument."
	docx  = ooxml + "wordprocessingml.document"
	xlsx  = ooxml + "spreadsheetml.sheet"
	pptx  = ooxml + "presentationml.presentation"
	odf   = "application/vnd.oasis.opendocument."
	zip   = "application/zip"
	ole   = "application/x-ole-storage"
)

var fileTypes = []fileType{
	{"application/pdf", []string{".pdf"}, ""},
	{docx, []string{".docx"}, zip},
	{ooxml + "wordprocessingml.template", []string{".dotx"}, docx},
	{"application/vnd.ms-word.document.macroenabled.12", []string{".docm"}, docx},
	{xlsx, []string{".xlsx"}, zip},
	{ooxml + "spreadsheetml.template", []string{".xltx"}, xlsx},
	{"application/vnd.ms-excel.sheet.macroenabled.12", []string{".xlsm"}, xlsx},
	{"application/vnd.ms-excel.sheet.binary.macroenabled.12", []string{".xlsb"}, xlsx},
	{pptx, []string{".pptx"}, zip},
	{ooxml + "presentationml.slideshow", []string{".ppsx"}, pptx},
	{"application/vnd.ms-powerpoint.presentation.macroenabled.12", []string{".pptm"}, pptx},
	{odf + "text", []string{".odt"}, zip},
	{odf + "spreadsheet", []string{".ods"}, zip},
	{odf + "presentation", []string{".odp"}, zip},
	{"application/epub+zip", []string{".epub"}, zip},
	{"application/vnd.android.package-archive", []string{".apk"}, zip},
	{"application/java-archive", []string{".jar"}, zip},
	{"application/vnd.google-earth.kmz", []string{".kmz"}, zip},
	{zip, []string{".zip"}, ""},
	{"application/msword", []string{".doc"}, ole},
	{"application/vnd.ms-excel", []string{".xls"}, ole},
	{"application/vnd.ms-powerpoint", []string{".ppt", ".pps"}, ole},
	{"application/vnd.ms-outlook", []string{".msg"}, ole},
	{text, []string{".txt", ".text", ".log"}, ""},
	{"text/csv", []string{".csv"}, text},
	{"text/tab-separated-values", []string{".tsv"}, text},
	{"text/markdown", []string{".md"}, text},
	{"text/calendar", []string{".ics"}, text},
	{"text/vcard", []string{".vcf"}, text},
	{"application/json", []string{".json"}, text},
	{"text/xml", []string{".xml"}, text},
	{"text/html", []string{".html", ".htm", ".xhtml"}, text},
	{"text/rtf", []string{".rtf"}, ""},
	{"image/svg+xml", []string{".svg"}, ""},
	{"image/jpeg", []string{".jpg", ".jpeg", ".jpe", ".jfif"}, ""},
	{"image/png", []string{".png", ".apng"}, ""},
	{"image/gif", []string{".gif"}, ""},
	{"image/webp", []string{".webp"}, ""},
	{"image/heic", []string{".heic"}, ""},
	{"image/tiff", []string{".tiff", ".tif"}, ""},
	{"image/bmp", []string{".bmp"}, ""},
	{"video/mp4", []string{".mp4", ".m4v"}, ""},
	{"video/3gpp", []string{".3gp", ".3g2"}, ""},
	{"video/quicktime", []string{".mov"}, ""},
	{"audio/mp4", []string{".m4a", ".m4b"}, ""},
	{"audio/mpeg", []string{".mp3"}, ""},
	{"audio/ogg", []string{".ogg", ".oga", ".opus"}, ""},
	{"audio/wav", []string{".wav"}, ""},
	{"application/gzip", []string{".gz", ".tgz"}, ""},
	{"application/vnd.rar", []string{".rar"}, ""},
	{"application/x-7z-compressed", []string{".7z"}, ""},
	{"application/x-tar", []string{".tar"}, ""},
	{"application/vnd.microsoft.portable-executable", []string{".exe", ".dll"}, ""},
}

// typeOf finds a type in the table by its name or by one of its extensions, with the dot.
func typeOf(nameOrExtension string) (fileType, bool) {
	i := slices.IndexFunc(fileTypes, func(t fileType) bool {
		return t.name == nameOrExtension || slices.Contains(t.extensions, nameOrExtension)
	})
	if i < 0 {
		return fileType{}, false
	}
	return fileTypes[i], true
}

// refines reports whether content detected as mediaType, under the general type under, may be of
// type t.
func (t fileType) refines(mediaType, under string) bool {
	switch {
	case mediaType == unknown:
		return t.of != text && t.name != text
	case under == text:
		return t.of == text || t.name == text // content only suggests which text type it is
	}
	for of := t.of; of != ""; {
		if of == mediaType {
			return true
		}
		wider, _ := typeOf(of)
		of = wider.of
	}
	return false
}

// extensions returns the extensions of a type, or nil if it has no usual one.
func extensions(mediaType string) []string {
	if t, ok := typeOf(mediaType); ok {
		return t.extensions
	}
	if m := mimetype.Lookup(mediaType); m != nil && m.Extension() != "" {
		return []string{m.Extension()}
	}
	return nil
}
