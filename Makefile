# `make` alone prints what there is. Everything works on a machine that has only Rust; the rest is installed or asked for.

# Where cargo builds; the stack's own state is always under target/.
TARGET := $(or $(CARGO_TARGET_DIR),target)
LOCAL := $(TARGET)/debug/local
DENY := $(TARGET)/tools/bin/cargo-deny
DENY_VERSION := 0.20.2

# `local` starts the programs that were just built, and need not ask cargo again.
export MILLRACE_BUILT := yes

.DEFAULT_GOAL := help
.PHONY: help prerequisites setup build demo down test test-observability test-compose check advisories load fmt clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: build ## Install what the stack needs (Java and Maven if missing, Kafka, the schema registry, PostgreSQL), and a browser for tests
	@exec $(LOCAL) setup

build: prerequisites ## Build all programs
	cargo build --workspace --bins

demo: build ## Run everything on this machine until Ctrl-C; WITHOUT=order-details leaves that part to you, OBSERVE=1 looks at it
	@exec $(LOCAL) up $(WITHOUT:%=--without %) $(if $(OBSERVE),--observe)

down: ## End a running demo
	@if [ -x $(LOCAL) ]; then exec $(LOCAL) down; else echo "no demo was ever started from here"; fi

test: prerequisites ## Run all tests, against real parts; TESTS='-p e2e --test page' runs some of them
	cargo build --workspace --all-targets
	@exec $(LOCAL) exec -- cargo test --no-fail-fast $(or $(TESTS),--workspace)

test-observability: build ## Prove metrics, alerts, dashboards and traces with Prometheus and a trace store (10 minutes)
	cargo test --workspace --test observability -- --test-threads 1

test-compose: prerequisites ## Build all images and test the ecosystem in containers; OFFLINE=no insists on upstream images, OFFLINE=yes on stand-ins
	cargo build --workspace --bin test-compose
	@exec sh deploy/with-docker.sh $(TARGET)/debug/test-compose

check: $(DENY) prerequisites ## Check format, lints, documentation, house rules, schemas and dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --package e2e --test observability -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items
	cargo test --quiet --workspace --test house_rules --test contract
	$(DENY) --offline --locked --log-level error check licenses bans sources

advisories: $(DENY) ## Ask the RustSec database about our dependencies; needs a network
	$(DENY) --locked check advisories

load: build ## Measure latency and throughput; the figures go to the terminal
	@exec $(TARGET)/debug/load-tests

fmt: ## Format all code
	cargo fmt --all

clean: down ## Remove everything that was built or fetched
	cargo clean
	rm -rf target

prerequisites:
	@sh deploy/prerequisites.sh

# A debug build: it runs for two seconds and takes two minutes to build, not six.
$(DENY): | prerequisites
	CARGO_TARGET_DIR=$(TARGET)/tools/build cargo install --locked --debug --root $(TARGET)/tools cargo-deny@$(DENY_VERSION)
	rm -rf $(TARGET)/tools/build
