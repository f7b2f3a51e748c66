# make help lists the targets. Every tool is pinned here and built from source
# into .tmp/bin; nothing is downloaded as a binary.

BUF            := github.com/bufbuild/buf/cmd/buf@v1.75.0
PROTOC_GEN_GO  := google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
PROTOC_GEN_GRPC:= google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
GOLANGCI       := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.12.2

FUZZTIME       ?= 20s

export GOTOOLCHAIN := local
# No path of this clone is in what is compiled: another clone, and the next target, finds it in Go's cache.
export GOFLAGS := -trimpath $(GOFLAGS)
export TAPNODE_TOOLS := $(CURDIR)/.tmp/bin
# What it has cached of another clone names files there, which may be gone.
export GOLANGCI_LINT_CACHE := $(CURDIR)/.tmp/lint

SHELL := bash

# Without what only debuggers read, a third of the size: a node is copied and hashed when a host first starts it.
GO_BUILD := CGO_ENABLED=0 go build -ldflags="-s -w"
TOOLS    := $(addprefix $(TAPNODE_TOOLS)/,buf protoc-gen-go protoc-gen-go-grpc golangci-lint)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## build, then serve the example flows against a simulated WhatsApp
	bin/tapnode serve --simulate

.PHONY: build
build: ## bin/tapnode and bin/nodes/whatsapp-send-buttons
	$(GO_BUILD) -o bin/tapnode ./host
	$(GO_BUILD) -o bin/nodes/whatsapp-send-buttons ./plugin
	bin/tapnode nodes lock

.PHONY: web
web: ## build the page into host/web/dist, which is committed
	cd host/web && npm ci --ignore-scripts --no-audit --no-fund && npx openapi-typescript ../../docs/openapi.json -o src/api/schema.d.ts && npm run check && npm run unit && npm run build

.PHONY: screenshots
screenshots: build ## the pictures of the documentation, from the real program in Chromium
	cd host/web && node --test test/screenshots.mjs

.PHONY: test
test: build lint $(TOOLS) ## everything: lint, unit, fuzz seeds, generated code, conformance, end to end, crashes
	.ci/test

.PHONY: crash crash-left crash-documents crash-node crash-host crash-sends crash-hosts crash-power
crash: ## 200 kills of the node, 24 of host, node and Postgres under 600 runs, three of the host under sends, 8 faults of three hosts under 100, failovers, poolers, hosts of two versions, a chaos of faults, and hostile documents
	@$(MAKE) --no-print-directory --jobs=5 --output-sync=target crash-hosts crash-host crash-node crash-documents crash-power crash-sends
crash-left: ## what the tests of the packages leave of it to make test: hosts that share a database, at a smaller size, sends, and hostile documents
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target CRASH_HOSTS= CRASH_DOCUMENTS=-short crash-hosts crash-sends crash-documents
crash-documents:
	go test -count=1 -timeout 15m $(CRASH_DOCUMENTS) -run 'Test(Conformance|Filenode)/.*/(no_input|has_no_side_effects)' ./plugin/internal/node ./sdk/nodetest
crash-node:
	@set -o pipefail; set -x; go test -count=1 -timeout 15m -run 'TestKilledNode|TestChaos' -v ./host/internal/app | grep -v level=
crash-host:
	TAPNODE_CRASH_RUNS=300 TAPNODE_CRASH_KILLS=12 TAPNODE_CRASH_TEXTS=200 go test -count=1 -timeout 15m -run 'TestCrash(Runs|Webhooks)$$' -v ./host/internal/cli
crash-sends:
	go test -count=1 -timeout 15m -run 'TestCrashSends$$' -v ./host/internal/cli
crash-power:
	TAPNODE_POWER_CUTS=200 go test -count=1 -timeout 15m -run 'TestPowerCut|TestKilledWriter' -v ./plugin/internal/store
# Without it the tests are of their own, smaller size.
CRASH_HOSTS ?= TAPNODE_CRASH_RUNS=100 TAPNODE_CRASH_FAULTS=8
crash-hosts:
	$(CRASH_HOSTS) go test -count=1 -timeout 15m -run 'TestCrashHosts|TestUpgradeOfLanded|TestCluster(Failover|Pgbouncer|Upgrade|Asynchronous|Versions)' -v ./host/internal/cli

.PHONY: crash-runs
crash-runs: crash-cluster ## 10,000 runs and 300 kills of host, node and Postgres, on SQLite and on Postgres, crash-cluster, and a minute of sends: more than an hour
	TAPNODE_CRASH_RUNS=10000 TAPNODE_CRASH_KILLS=300 go test -count=1 -timeout 2h -run TestCrashRuns -v ./host/internal/cli
	TAPNODE_CRASH_SECONDS=60 go test -count=1 -timeout 15m -run TestCrashSends -v ./host/internal/cli

# As much of it as CLUSTER_INSTANCES, CLUSTER_RUNS and CLUSTER_FAULTS say.
CLUSTER_INSTANCES ?= 200
CLUSTER_RUNS ?= 5000
CLUSTER_FAULTS ?= 100
.PHONY: crash-cluster
crash-cluster: ## 100 faults of three hosts and of two Postgres servers with 200 instances, while 5,000 menus are sent and tapped: 40 minutes
	TAPNODE_CRASH_INSTANCES=$(CLUSTER_INSTANCES) TAPNODE_CRASH_RUNS=$(CLUSTER_RUNS) TAPNODE_CRASH_FAULTS=$(CLUSTER_FAULTS) \
	go test -count=1 -timeout 3h -run 'TestCrashHosts$$' -v ./host/internal/cli

.PHONY: vet
vet: ## gofmt and go vet, the quick part of lint
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w on these"; exit 1; }
	go vet ./...

.PHONY: lint
lint: $(TAPNODE_TOOLS)/golangci-lint ## golangci-lint, with gofmt and go vet in it
	$(TAPNODE_TOOLS)/golangci-lint run --allow-parallel-runners ./...

.PHONY: generate
generate: $(TOOLS) ## regenerate sdk/nodepb from its proto, and the tables of docs/flows.md
	cd sdk/nodepb && $(TAPNODE_TOOLS)/buf generate
	go test -count=1 ./host/internal/cli -run TestFlowsPage -update

.PHONY: generate-check
generate-check: $(TOOLS) ## fail if generated code is stale, the proto unclean or its change breaking
	go test -count=1 ./sdk/nodepb/...

.PHONY: bench
bench: ## benchmarks, as ratios against bare whatsmeow and the disk in the same run
	.ci/with-postgres go test -count=1 -timeout 60m -run '^$$' -bench . -benchtime 1x ./host/internal/bench

.PHONY: bench-cluster
bench-cluster: ## one host on SQLite, one on Postgres and three, with 50 instances: taps, sends, CPU, takeover
	.ci/with-postgres go test -count=1 -timeout 30m -run '^$$' -bench Cluster -benchtime 1x ./host/internal/bench

.PHONY: bench-nodered
bench-nodered: ## the click workload beside Node-RED 4.1.8, which npm installs in a temporary directory
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && npm install --prefix "$$dir" --no-audit --no-fund node-red@4.1.8 && \
	TAPNODE_BENCH_NODERED=$$dir .ci/with-postgres go test -count=1 -timeout 30m -run '^$$' -bench ClickWorkload -benchtime 1x ./host/internal/bench

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (20s)
	@for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$pkg/*_test.go | cut -c6-); do \
	    go test -run '^$$' -fuzz "^$$target$$" -fuzzminimizetime 20x -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

.PHONY: clean
clean: ## remove what was built
	rm -rf bin .tmp host/web/.svelte-check

$(TAPNODE_TOOLS)/buf:
	GOBIN=$(TAPNODE_TOOLS) go install $(BUF)
$(TAPNODE_TOOLS)/protoc-gen-go:
	GOBIN=$(TAPNODE_TOOLS) go install $(PROTOC_GEN_GO)
$(TAPNODE_TOOLS)/protoc-gen-go-grpc:
	GOBIN=$(TAPNODE_TOOLS) go install $(PROTOC_GEN_GRPC)
$(TAPNODE_TOOLS)/golangci-lint:
	GOBIN=$(TAPNODE_TOOLS) go install $(GOLANGCI)
