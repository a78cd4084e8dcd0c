# stream-api: make help

GO ?= go
BIN := bin/stream-api
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
ARCH := $(shell $(GO) env GOARCH)
# The time that all files of a package get: the commit's.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
DEBIAN := $(shell deploy/package/version.sh '$(VERSION)' $(SOURCE_DATE_EPOCH))
export SOURCE_DATE_EPOCH
# What tests need beside Go; installed with apt when it is missing and we may.
NEEDS := redis-server redis-sentinel redis-cli icecast2 ffmpeg ffprobe nginx chromium promtool named-checkzone

.DEFAULT_GOAL := help
.PHONY: help build run test check vuln sbom reproducible deb dist notices bench chaos boot deps screenshots clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/stream-api
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/stream-api

run: build ## the demo: three hosts, a toy ingest and the status page, nothing to install
	$(BIN) demo

test: deps ## every test, with the race detector, against real Redis, Icecast, nginx, ffmpeg and Chromium
	# In the tests of the store one actor is at work at a time, so the detector of
	# races finds nothing there and takes most of their time; those of scheduler,
	# runners and web use it from many sides. One test of the scheduler is a whole
	# network for each key, most of which waits.
	STREAM_API_TEST_REQUIRE=1 $(GO) test -race -timeout 20m -skip '^TestAKeyOfAnotherType' $$($(GO) list ./... | grep -v -e /test/ -e /web$$ -e /config$$ -e /store$$)
	STREAM_API_TEST_REQUIRE=1 $(GO) test -timeout 20m ./store
	STREAM_API_TEST_REQUIRE=1 $(GO) test -parallel 8 -timeout 20m -run '^TestAKeyOfAnotherType' ./scheduler
	STREAM_API_TEST_REQUIRE=1 $(GO) test -race -timeout 20m ./web
	# These watch from outside, and mostly wait: three at a time, and the harness
	# without the race detector, so that it does not starve what it watches. Reading
	# a configuration has one goroutine, and the worst of files for it to chew.
	STREAM_API_TEST_REQUIRE=1 $(GO) test -p 3 -timeout 20m ./config ./test/...

check: ## format, vet, staticcheck, import arrows, forbidden calls, shell files
	./test/check.sh

vuln: ## known vulnerabilities of what the program calls; says so when their database cannot be reached
	./test/vuln.sh $(VULN)

sbom: build ## what the program is linked of, as CycloneDX: bin/stream-api.cdx.json
	./test/sbom.sh $(BIN) '$(VERSION)' $(BIN).cdx.json

deb: build ## a Debian package of this machine's kind: bin/stream-api_VERSION_ARCH.deb
	./deploy/package/stage.sh bin/stage
	./deploy/package/deb.sh $(BIN) $(ARCH) '$(DEBIAN)' bin/stage 'bin/stream-api_$(DEBIAN)_$(ARCH).deb'

dist: ## what a release hands out, for amd64 and arm64: dist/*.deb, *.tar.gz, *.cdx.json, SHA256SUMS
	./deploy/package/dist.sh '$(VERSION)' '$(DEBIAN)' dist

reproducible: ## build twice with nothing shared, some minutes, and compare
	STREAM_API_TEST_OWN_CACHE=1 $(GO) test -count=1 -run TwoBuilds ./test/release

notices: ## the licences of all linked modules anew, after one came, went or was raised
	$(GO) test ./internal/notices -run EveryLinkedModule -update

bench: deps build ## measure, and write docs/benchmarks.md anew
	./test/bench.sh

chaos: deps ## the long fault tests, half an hour; writes their figures into docs/benchmarks.md
	./test/chaos.sh

screenshots: deps ## take the pictures in docs/images anew
	$(GO) test ./web/ -count=1 -run Screenshots -screenshots

boot: ## install the package on an emulated Debian; upgrades, kills, reboots, full disks, memory; root. BOOT=-container: quick
	$(GO) test ./test/boot -count=1 -v -timeout 180m -boot $(BOOT)

deps: ## install what the tests need (Debian, as root or with sudo), or name it
	@./test/deps.sh $(NEEDS)

clean: ## remove what was built
	rm -rf bin dist
