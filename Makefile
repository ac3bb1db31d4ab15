# make demo    build cnet and see the whole story, as any user
# make test    run all tests
# make help    the other targets

PREFIX  ?= /usr/local
DESTDIR ?=
VERSION ?= $(shell git describe --tags --dirty 2>/dev/null)

# 2026.1: builds with Go 1.25 and newer; an older go fetches that by itself.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.7.0

sources = cmd internal pkg test
ldflags = -s -w $(if $(VERSION),-X github.com/cnetlab/cnet/internal/cli.version=$(VERSION))
share   = $(DESTDIR)$(PREFIX)/share
pages   = $(share)/man/man1
bash    = $(share)/bash-completion/completions/cnet
zsh     = $(share)/zsh/site-functions/_cnet
fish    = $(share)/fish/vendor_completions.d/cnet.fish
unit    = $(DESTDIR)$(PREFIX)/lib/systemd/system/cnet.service

.PHONY: build
build: ## build ./cnet, static
	CGO_ENABLED=0 go build -trimpath -ldflags '$(ldflags)' -o cnet ./cmd/cnet

.PHONY: demo
demo: build ## the whole story in a sandbox, explained and checked
	./cnet demo

.PHONY: test
test: ## vet, and all tests; says what it must leave out here
	@./scripts/test

.PHONY: e2e
e2e: ## the scripts in test/e2e, each with its name
	go test -count=1 -v ./test/e2e/...

.PHONY: fuzz
fuzz: ## every fuzzer in turn, FUZZTIME (30s) each
	@./scripts/fuzz

.PHONY: soak
soak: ## COUNT (20000) lives of a container, and what is left; an hour or two
	@mkdir -p build
	CNET_SOAK=$(or $(COUNT),20000) CNET_SOAK_TABLE=$(CURDIR)/build/soak go test -count=1 -timeout=12h -run '^TestSoak$$' ./test/e2e
	@tail -n 3 build/soak.*

.PHONY: long
long: ## the tests that can be thorough, thoroughly: every crash, crowd, neighbour
	@mkdir -p build
	@CNET_LONG=1 go test -count=1 -timeout=6h -v ./test/e2e \
		-run '^Test(Crash|RandomKills|PowerCut|Crowd|Readers|Neighbours|NeighboursLater|Meddle|Worlds)$$' >build/long.txt; \
	status=$$?; grep -E '^(---|ok|FAIL)|[0-9]+ (points|commands|rounds|rows|reboots)' build/long.txt; exit $$status

.PHONY: bench
bench: ## cnet beside the floor and the tools found here; a quarter of an hour
	@./scripts/bench

.PHONY: profile
profile: ## where the time of create, publish, list and reset goes
	@./scripts/profile

.PHONY: figures
figures: ## both, and write them into docs/performance.md
	@./scripts/bench --write
	@./scripts/profile --write

.PHONY: fmt
fmt: ## format the sources
	gofmt -w $(sources)

.PHONY: lint
lint: ## formatting, vet, staticcheck
	@unformatted=$$(gofmt -l $(sources)) || exit; \
	if [ -n "$$unformatted" ]; then printf 'not formatted (make fmt): %s\n' $$unformatted >&2; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...

# Where there is no Go (sudo may not find it), what was built before is installed.
.PHONY: install
install: $(if $(shell command -v go),build) ## install cnet, completion, man pages and a systemd unit under PREFIX
	install -D -m 755 cnet $(DESTDIR)$(PREFIX)/bin/cnet
	mkdir -p $(dir $(bash) $(zsh) $(fish)) $(pages)
	./cnet completion bash >$(bash)
	./cnet completion zsh >$(zsh)
	./cnet completion fish >$(fish)
	./cnet man $(pages)
	mkdir -p $(dir $(unit))
	sed 's|/usr/local/bin/|$(PREFIX)/bin/|' scripts/cnet.service >$(unit)

.PHONY: uninstall
uninstall: ## remove what install made
	rm -f $(DESTDIR)$(PREFIX)/bin/cnet $(bash) $(zsh) $(fish) $(unit) $(pages)/cnet.1 $(pages)/cnet-*.1

.PHONY: clean
clean: ## remove what was built
	rm -rf cnet build

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile
