package v1

// more is the rest of a list's answer. Lists have the parameters after and limit; each says so itself,
// since package huma does not look into types that are not exported.
type more struct {
	Next string `json:"next,omitempty" doc:"Give it back as after, with the same other parameters; left out, the list ends here."`
}

// one is an answer with one thing.
type one[T any] struct {
	Body T
}
