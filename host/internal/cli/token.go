package cli

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tapnode/tapnode/host/internal/api"
)

// dataFlag adds --data, the host's own directory.
func dataFlag(fs *flag.FlagSet) *string {
	dir := "tapnode-data"
	if state, err := os.UserConfigDir(); err == nil {
		dir = filepath.Join(state, "tapnode")
	}
	return fs.String("data", dir, "`DIR` the host keeps everything in, made with mode 0700")
}

func makeData(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return environment(fmt.Errorf("data directory %s: %w; choose another with --data", dir, err))
	}
	return nil
}

func tokens(dir string) (*api.Tokens, error) {
	if err := makeData(dir); err != nil {
		return nil, err
	}
	t, err := api.OpenTokens(filepath.Join(dir, "tokens.json"))
	if err != nil {
		return nil, environment(err)
	}
	return t, nil
}

// maxInstance bounds the name of an instance, in bytes.
const maxInstance = 200

// token makes a token and prints it, the only time it can be seen.
func token(_ context.Context, c console, args []string) error {
	flags := newFlags("token")
	dir := dataFlag(flags)
	instance := flags.String("instance", "", "limit the token to the instance of this `NAME`")
	reveal := flags.Bool("reveal", false, "let the token read the numbers and texts in runs and dead letters")
	if err := none(c, flags, args); err != nil {
		return err
	}
	if given(flags, "instance") && *instance == "" {
		return invalid("--instance is empty; leave it out for a token of the whole account")
	}
	if printable(*instance) != *instance || len(*instance) > maxInstance {
		return invalid("--instance %.80q is not an instance's name", *instance)
	}
	t, err := tokens(*dir)
	if err != nil {
		return err
	}
	scope := api.TokenAccount
	if *instance != "" {
		scope = api.TokenInstance
	}
	var made string
	switch {
	case *reveal && *instance != "":
		return invalid("--reveal is for tokens of the whole account")
	case *reveal:
		made, err = t.CreateRevealing(time.Now())
	default:
		made, err = t.Create(scope, *instance, time.Now())
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(c.out, made)
	return nil
}
