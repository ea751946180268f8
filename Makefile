# Thin: each target says what it does and calls cargo. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
EVENTS ?= 1000000
RUNS ?= 1000000
TARGETS ?= $(basename $(notdir $(wildcard fuzz/targets/*.rs)))
# At each hook a process begins: with the C library in it nothing is linked then. Procedural macros cannot be built so, which is why the
# target is named. LINK= leaves it out, on a machine without a static C library (Fedora's glibc-static).
LINK ?= -C target-feature=+crt-static
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
CARGO_TARGET_DIR ?= target
PROGRAM ?= $(CARGO_TARGET_DIR)/$(HOST)/release/vfhook
AGENT ?= $(CARGO_TARGET_DIR)/release/vfhook-agent
MANUAL ?= $(CARGO_TARGET_DIR)/manual
AS_RELEASED = RUSTFLAGS="$(strip $(RUSTFLAGS) $(LINK))" cargo
.PHONY: help build demo check unit model simulate msrv minimal deny fuzz lab test bench bench-write install install-files install-agent install-agent-files build-agent manual deb tarball clean

help: ## explain every target
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

build: ## the release binary, target/HOST/release/vfhook, linked statically
	$(AS_RELEASED) build --release --package vfhook --target $(HOST)

demo: ## the main job on an emulated card: a podman container with a VF and a service, in a VM
	@.ci/prepare
	@cargo lab demo

check: ## formatting, clippy and rustdoc, each warning an error
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

unit: ## every test that needs no VM: unit, fault, network namespaces (needs root)
	@.ci/prepare
	cargo test --workspace

model: ## EVENTS random events on a node in memory, a million, other ones each time; VFHOOK_SEED=NUMBER runs a failure again
	VFHOOK_EVENTS=$(EVENTS) cargo test --test operation_model -- --nocapture

simulate: ## addresses of a cluster: every order of events on a few nodes, and what clusters of 5,000 ask of the API server (minutes)
	VFHOOK_EXPLORE=all cargo test --package address-blocks -- --nocapture

msrv: ## whether the oldest compiler that is promised takes it all (rustup toolchain install 1.85.0)
	cargo +1.85.0 check --workspace --all-targets --target-dir target/msrv

minimal: ## whether that compiler takes containerd-nri with the oldest versions of what it names (and a nightly, to choose them)
	rm -f target/package/containerd-nri-*.crate
	cargo package --quiet --package containerd-nri --no-verify --allow-dirty --target-dir target
	folder=$$(mktemp -d) && trap "rm -rf $$folder" EXIT && \
	    tar -xf target/package/containerd-nri-*.crate --strip-components=1 -C $$folder && cd $$folder && \
	    cargo +nightly update --quiet -Z direct-minimal-versions && \
	    cargo +1.85.0 check --all-features --locked --target-dir $(CURDIR)/target/minimal

deny: ## licences, sources and known holes of every crate that is built (needs cargo-deny, and its database from GitHub)
	cargo deny --workspace --all-features --locked check

fuzz: ## what strangers may send, RUNS times for each target of fuzz/ (needs nightly and cargo-fuzz)
	@for target in $(TARGETS); do \
	    cargo +nightly fuzz run --fuzz-dir fuzz --sanitizer none $$target fuzz/found/$$target fuzz/corpus/$$target -- -runs=$(RUNS) -max_len=4096 || exit; \
	done

lab: ## the scenarios, in a VM each; `cargo lab list` marks those that are run by name only (needs root)
	@.ci/prepare
	@cargo lab run --all

test: ## unit and lab, and how many tests ran; what CI calls
	@.ci/test

bench: ## attach and detach against the kernel floor, ip and CNI plugins, and where the time goes; how they grow; what an NRI event, a look at leases and services inside cost (needs root)
	@.ci/prepare
	$(AS_RELEASED) bench --package vfhook --target $(HOST) --bench attach
	$(AS_RELEASED) bench --package vfhook --target $(HOST) --bench growth
	$(AS_RELEASED) bench --package vfhook --target $(HOST) --bench nri_event
	$(AS_RELEASED) bench --package vfhook --target $(HOST) --bench keeper
	$(AS_RELEASED) bench --package vfhook --target $(HOST) --bench services

bench-write: ## attach and detach, and how they grow, again, and the figures and pictures of docs/bench anew (needs root)
	@.ci/prepare
	$(AS_RELEASED) bench --package vfhook --target $(HOST) --bench attach -- 200 --write docs/bench
	$(AS_RELEASED) bench --package vfhook --target $(HOST) --bench growth -- --write docs/bench

install: build manual install-files ## put the binary, its manual, the hooks, an example configuration and the host's files in place

install-files:
	install -D $(PROGRAM) $(DESTDIR)/usr/bin/vfhook
	ln -sfn vfhook $(DESTDIR)/usr/bin/vfhook-runtime
	install -D -m 0644 -t $(DESTDIR)/usr/share/man/man1 $(MANUAL)/man/*.1
	install -D -m 0644 $(MANUAL)/completions/vfhook.bash $(DESTDIR)/usr/share/bash-completion/completions/vfhook
	install -D -m 0644 -t $(DESTDIR)/usr/share/zsh/vendor-completions $(MANUAL)/completions/_vfhook
	install -D -m 0644 -t $(DESTDIR)/usr/share/fish/vendor_completions.d $(MANUAL)/completions/vfhook.fish
	install -D -m 0644 -t $(DESTDIR)/usr/share/containers/oci/hooks.d hooks/vfhook-*.json
	install -D -m 0644 -t $(DESTDIR)/usr/share/doc/vfhook nri-config/* hooks/base-runtime-spec.fragment.json
	install -D -m 0644 -t $(DESTDIR)/usr/lib/udev/rules.d host-files/86-vfhook.rules
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/network host-files/05-vfhook.network
	install -D -m 0644 -t $(DESTDIR)/usr/lib/NetworkManager/conf.d host-files/90-vfhook.conf
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/system nri-config/vfhook.service nri-config/vfhook.socket nri-config/vfhook-provision.service

install-agent: build-agent install install-agent-files ## the same, and what tells a Kubernetes cluster of VFs that claims select, and hears of its services

install-agent-files:
	install -D $(AGENT) $(DESTDIR)/usr/bin/vfhook-agent
	install -D -m 0644 -t $(DESTDIR)/usr/share/doc/vfhook kubernetes/*.yaml
	install -D -m 0644 -t $(DESTDIR)/usr/lib/systemd/system nri-config/vfhook-agent.service

build-agent:
	cargo build --release --package vfhook-agent

manual:
	cargo run --quiet --release --package vfhook-manual -- $(MANUAL)

deb: build build-agent manual ## a Debian package, target/vfhook.deb, that starts nothing and makes no VF when it is installed
	packaging/deb/build $(PROGRAM) $(AGENT) $(MANUAL) target/vfhook.deb

tarball: build manual ## the program without the agent, linked statically, and its installer: target/vfhook.tar.gz, for where no package fits
	packaging/tarball/build $(PROGRAM) $(MANUAL) target/vfhook.tar.gz

clean: ## what cargo built; the lab's images stay in their cache
	cargo clean
