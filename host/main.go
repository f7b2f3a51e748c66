// Command tapnode hosts flows and the node binaries they use.
package main

import (
	"os"

	"github.com/tapnode/tapnode/host/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
