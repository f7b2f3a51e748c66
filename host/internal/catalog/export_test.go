package catalog

// What only tests look at from outside.
var (
	Parse          = parse
	ParseManifest  = parseManifest
	ManifestDigest = manifestDigest
	Describe       = describe
)
