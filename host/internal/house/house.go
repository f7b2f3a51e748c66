// Package house holds the house rules as tests: which package may import which,
// one package comment per package, no hand-written file above 25 KB, and a
// README whose commands exist. It has no code of its own.
package house
