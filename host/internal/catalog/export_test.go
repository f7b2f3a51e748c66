package catalog

// What only tests look at from outside.
var (
	Parse          = parse
	ParseManifest  = parseManifest
	ManifestDigest = manifestDigest
)

// Verify is verify.
func (e Entry) Verify() error { return e.verify() }
