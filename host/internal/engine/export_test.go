package engine

// MaxEvent is maxEvent, for tests.
const MaxEvent = maxEvent
