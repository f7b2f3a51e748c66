// Command whatsapp-send-buttons is the node binary: a host starts it and speaks
// flownode.v1 to it. "whatsapp-send-buttons describe" prints its manifest.
package main

import (
	"github.com/tapnode/tapnode/plugin/internal/node"
	"github.com/tapnode/tapnode/sdk"
)

func main() { sdk.Main(node.New()) }
