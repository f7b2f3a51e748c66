package v1

// more is the rest of a list's answer. The input of a list has the fields
//
//	After string `query:"after" maxLength:"512" doc:"What the page before said as next."`
//	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many at most."`
//
// itself: package huma does not look into types that are not exported.
type more struct {
	Next string `json:"next,omitempty" doc:"Give it back as after, with the same other parameters; left out, the list ends here."`
}

// one is an answer with one thing.
type one[T any] struct {
	Body T
}
