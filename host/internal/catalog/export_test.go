package catalog

// Internals that external tests use.
var (
	Parse          = parse
	ParseManifest  = parseManifest
	ManifestDigest = manifestDigest
	Describe       = describe
)
