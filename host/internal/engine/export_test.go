package engine

// MaxEvent is maxEvent, for tests.
const MaxEvent = maxEvent

// Subject is subject.
var Subject = subject
