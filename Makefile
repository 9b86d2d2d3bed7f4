# SPDX-License-Identifier: MIT
# The front door. Meson builds, the scripts under tools/ do the rest; `make help` lists the targets.

MAKEFLAGS += --no-print-directory
.SILENT:
.ONESHELL:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

V        ?= 0
SANITIZE ?= 0
WERROR   ?= 0
PYTHON   ?= /usr/bin/python3
export V PYTHON

# Each compiler and each kind of build has a directory of its own.
compiler := $(if $(filter-out default,$(origin CC)),$(notdir $(lastword $(CC))))
flavour  := $(if $(filter-out cc gcc,$(compiler)),-$(compiler))$(if $(filter-out 0,$(SANITIZE)),-asan)
BUILD    ?= build$(flavour)

options :=
options += -Dwerror=$(if $(filter-out 0,$(WERROR)),true,false)
ifneq ($(SANITIZE),0)
options += -Db_sanitize=address,undefined -Db_lundef=false \
	   '-Dc_args=-fno-sanitize-recover=all -fno-omit-frame-pointer'
endif
options += '-Dprefix=$(or $(PREFIX),/usr/local)'

# DEPS=no: what is needed is there, though not as Debian packages.
deps = $(if $(filter no,$(DEPS)),:,tools/deps)

.PHONY: all
all: ## build the daemon: build/wiregauge (CC=clang, SANITIZE=1, WERROR=1 and V=1 do what they say)
	$(deps) --check build
	tools/build $(BUILD) $(options)

.PHONY: run
run: ## install what is missing, build, and run the daemon here until Ctrl-C (ARGS=more arguments)
	$(deps) build
	tools/build $(BUILD) $(options)
	echo "wiregauge: once it is ready, see http://localhost:9435/metrics; Ctrl-C ends it"
	exec $(BUILD)/wiregauge run $(ARGS)

.PHONY: test
test: ## install what is missing, build, and run all tests (SANITIZE=1: with ASan and UBSan)
	$(deps) build test
	tools/build $(BUILD) -Dtests=enabled $(options) all meson-test-prereq
	tools/test $(BUILD)

.PHONY: lab
lab: ## run the tests on other kernels, in guests, and here (KERNEL="5.10 6.1" TESTS=tests/system/test_counts.py)
	$(deps) build test lab
	tools/build $(BUILD) -Dtests=enabled $(options) all
	tests/lab/all $(BUILD) $(or $(KERNEL),host 5.10 6.1 6.12 7) -- $(TESTS)

.PHONY: fuzz
fuzz: ## give every parser strange input for SECONDS=600 each, with ASan and UBSan (TARGET=one of them)
	$(deps) build test fuzz
	CC=clang tools/build build-fuzz -Dtests=enabled -Dfuzz=true -Dbuildtype=debugoptimized \
		-Db_sanitize=address,undefined -Db_lundef=false \
		'-Dc_args=-fsanitize=fuzzer-no-link -fno-sanitize-recover=all -fno-omit-frame-pointer' \
		fuzz-programs
	tools/fuzz build-fuzz $(or $(SECONDS),600) $(TARGET)

.PHONY: lint
lint: ## layout, static analysis, length of functions, order of the rooms
	$(deps) build test lint
	CC=clang tools/build build-clang -Dtests=enabled -Dwerror=true all meson-test-prereq
	tools/lint build-clang

.PHONY: format
format: ## lay out the C files as `make lint` wants them
	$(deps) lint
	tools/lint --list-layout | xargs -r clang-format -i

.PHONY: bench
bench: ## build with full optimisation and measure every figure that the README states
	$(deps) build bench
	tools/build build-release -Dbuildtype=release all bench-programs
	bench/run build-release

.PHONY: examples
examples: ## build the objects of the example configs, beside their manifests
	$(deps) --check build
	tools/build $(BUILD) $(options) examples

.PHONY: docs
docs: all ## write into docs/ what the program prints of itself: keys, decoders, metrics
	tools/docs $(BUILD)/wiregauge
	tools/kubernetes-rules

export KUBE_CONTEXT NAMESPACE IMAGE DRY_RUN

.PHONY: deploy
deploy: ## onto each node of a Kubernetes cluster (OVERLAY=guard KUBE_CONTEXT= NAMESPACE= IMAGE=name:tag DRY_RUN=1)
	tools/kubernetes $(or $(OVERLAY),base)

.PHONY: prometheus
prometheus: ## what the Prometheus operator has to scrape there, and the rules (likewise)
	tools/kubernetes prometheus-operator

.PHONY: grafana
grafana: ## write the dashboards of Grafana out of deploy/grafana/dashboards.yaml
	tools/dashboards

.PHONY: install
install: all ## install below PREFIX (default /usr/local), with DESTDIR in front
	meson install --no-rebuild --quiet -C $(BUILD)

.PHONY: deb
deb: ## install what is missing, and build the Debian packages: build/deb/*.deb
	$(deps) build deb
	tools/deb build/deb

.PHONY: docker
docker: ## build the container's image (IMAGE_REGISTRY=registry.example.org IMAGE_NAMESPACE=monitoring IMAGE_TAG=0.1.0)
	tools/image "$(IMAGE_REGISTRY)" "$(IMAGE_NAMESPACE)" "$(or $(IMAGE_TAG),latest)"

.PHONY: test-package
test-package: deb ## the packages in a guest: installed, upgraded under load, purged (KERNEL=6.1)
	$(deps) test lab install
	tests/install/package $(and $(KERNEL),--kernel $(KERNEL))

.PHONY: test-docker
test-docker: ## the Dockerfile's steps without an engine, and its image with compose.yaml's privileges
	$(deps) test install
	tests/install/image

.PHONY: static
static: ## build one file that needs no library and no other file: build-static/wiregauge
	$(deps) build static
	tools/static-libs build-static/libs
	tools/build build-static -Dstatic=true -Dtests=disabled -Dsystemd_units=no

.PHONY: test-static
test-static: static ## the static file in a root that has nothing else
	$(deps) test
	tests/install/static build-static/wiregauge

.PHONY: uninstall
uninstall: ## remove what the last install put there
	ninja -C $(BUILD) uninstall

.PHONY: clean
clean: ## remove everything that was built
	rm -rf build build-* examples/*.bpf.o

.PHONY: help
help: ## this list
	awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
