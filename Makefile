# edgevpn: `make help` lists what can be made here.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

K ?=
TIME ?= 60
MINUTES ?= 20
PYTHON := .venv/bin/python
# Guests side by side for `make lab`; each has one CPU, and half of the tests if there are two.
SHARDS ?= 1
GUEST = $(PYTHON) -m tests.lab.guest run
PYTEST := $(PYTHON) -m pytest
FAST = "not lab and not netns and not soak and not panel"
# Without what CPUs of routers have no compiler for.
PURE = AIOHTTP_NO_EXTENSIONS=1 FROZENLIST_NO_EXTENSIONS=1 MULTIDICT_NO_EXTENSIONS=1 YARL_NO_EXTENSIONS=1
BUILT = aiohttp,charset-normalizer,frozenlist,multidict,yarl
# Only these: in the guest, collecting the fast tests would cost more than it is worth.
LAB_TESTS = tests/lab $(shell grep -rl --include='test_*.py' 'mark.netns' tests)

# What `make test` runs of the lab; `make lab` runs all of it.
CORE = $(addprefix tests/lab/test_,$(addsuffix .py,harness site_to_site starting negotiation packet_sizes eap \
	road_warriors simulated packaged diagnose))

.PHONY: help venv vendor ipk feed apk deb sbom lock check coverage panel-test soak soak-lab flood fuzz bench bench-guest lab \
	lab-kernel fast-guest test demo clean

help: ## list the targets
	@sed -nE 's/^([a-z -]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

venv: .venv/installed ## make .venv: the package, editable, and the developers' tools

.venv/installed: pyproject.toml
	tests/lab/install python
	python3 -m venv .venv
	$(PYTHON) -m pip install --quiet --quiet --upgrade 'pip>=25.1'
	$(PYTHON) -m pip install --quiet --quiet --editable '.[web]' --group dev
	touch $@

vendor: .venv/vendor/complete ## fetch the libraries that the packages bring along, pinned by hash

.venv/vendor/complete: .venv/installed openwrt/vendor-daemon.txt openwrt/vendor-web.txt tests/openwrt/router.txt tests/web/floor.txt
	$(PYTHON) -m openwrt.builder fetch
	$(PYTHON) -m pip install --quiet --quiet --no-deps --require-hashes --upgrade --target .venv/router -r tests/openwrt/router.txt
	$(PURE) $(PYTHON) -m pip install --quiet --quiet --no-deps --require-hashes --no-binary $(BUILT) --upgrade --target .venv/web-floor -r tests/web/floor.txt
	touch $@

ipk feed apk deb: vendor ## packages into dist/: OpenWrt 23.05 and 24.10, a feed of them, 25.12, Debian
	$(PYTHON) -m openwrt.builder $@ $(if $(KEY),--key $(KEY))

sbom: venv ## what the packages are made of, with hashes and licences, as CycloneDX into dist/
	$(PYTHON) -m openwrt.builder sbom

# What the packages bring along is in requirements.lock by the same version.
lock: venv ## requirements.lock anew: what edgevpn needs in its newest versions, pinned by hash, for every Python and CPU
	$(PYTHON) -m pip install --quiet --quiet --group lock
	.venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --all-extras --no-annotate --no-emit-index-url \
		--no-emit-find-links --custom-compile-command 'make lock' $(addprefix --constraints openwrt/vendor-,daemon.txt web.txt) \
		--output-file requirements.lock pyproject.toml

check: venv vendor ## format, lint, types and the fast tests: no root, no guest
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy --strict
	$(PYTEST) -q -m $(FAST)

coverage: venv vendor ## which lines and branches the fast tests reach; takes them twice as long
	$(PYTEST) -q -m $(FAST) --cov=edgevpn --cov-branch --cov-report=term:skip-covered

soak: venv ## two endpoints through ten thousand operations, and for a week of virtual time: two minutes, no root
	$(PYTEST) -q -m soak tests/ike

# Tests that need more than the guest has: a Debian with systemd.
DEBIAN_TESTS = $(filter tests/lab tests/lab/test_systemd.py,$(LAB_TESTS))

lab: venv vendor ## tests against a kernel data plane and real peers, as root: make lab K='psk and not openiked'
	$(if $(filter tests/lab,$(LAB_TESTS)),tests/lab/install newer)
	$(if $(DEBIAN_TESTS),tests/lab/install debian)
	$(GUEST) --shards $(SHARDS) -- $(PYTEST) -p no:cacheprovider -m "lab or netns" $(if $(K),-k "$(K)") $(LAB_TESTS)

panel-test: venv ## the panel in a browser, before a real daemon: make panel-test K='device and not japanese'
	tests/lab/install browser
	$(PYTEST) -q -m panel $(if $(K),-k "$(K)") tests/panel

flood: venv ## a gateway under floods, each for so many seconds, in the guest as root: make flood TIME=60
	EDGEVPN_FLOOD_SECONDS=$(TIME) $(GUEST) --results build/flood -- $(PYTEST) -p no:cacheprovider -m lab tests/lab/test_flood.py
	tail -n +1 build/flood/test_flood/*/figures.json

soak-lab: venv ## fifty tunnels, each with new keys every 20 seconds, in the guest as root: make soak-lab MINUTES=20
	EDGEVPN_SOAK_MINUTES=$(MINUTES) $(GUEST) --results build/soak -- $(PYTEST) -p no:cacheprovider -m lab tests/lab/test_soak.py
	tail -n +1 build/soak/test_soak/*/figures.json

fuzz: venv ## coverage-guided fuzzing of all that reads octets, so many seconds of CPU each: make fuzz TIME=1800 K='stranger partner'
	$(PYTHON) -m pip install --quiet --quiet --group fuzz
	$(PYTHON) -m tests.fuzz $(K) --time $(TIME)

bench: venv ## how fast and how heavy, beside strongSwan as root: build/bench.json, a picture and a table
	-[ "$$(id -u)" -ne 0 ] || tests/lab/install tools anchor
	$(PYTHON) -m tests.bench

bench-guest: venv ## in the guest: what goes through tunnels beside those made by hand and by strongSwan, and what a thousand cost
	$(GUEST) -- $(PYTHON) -m tests.lab.throughput
	$(GUEST) -- $(PYTHON) -m tests.kernel.benchmark netlink

lab-kernel: ## build the fast guest (User-Mode Linux), once: some minutes
	tests/lab/install uml

test: ## fast tests, soak, the panel in a browser and the core of the lab, from nothing, on a fresh Debian 12, as root
	$(MAKE) --jobs=2 check fast-guest  # where the guest has to be built, that takes the other CPU
	$(MAKE) soak panel-test lab LAB_TESTS="$(CORE)"

fast-guest: venv
	$(PYTHON) -m tests.lab.guest hasten

demo: venv ## two routers, a phone, and their traffic through the kernel
	$(GUEST) -- $(PYTHON) -m tests.lab.demo

clean: ## remove what was made in this tree (.venv and the guests' kernels stay)
	rm -rf build dist *.egg-info .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find edgevpn tests -name __pycache__ -type d -prune -exec rm -rf {} +
