# SPDX-License-Identifier: Apache-2.0
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all

PREFIX ?= /usr/local
DESTDIR ?=
# Where `make install` puts the Python package: a folder of PREFIX that python3 searches, if it has one.
PYTHONDIR ?= $(shell python3 scripts/python-folder $(PREFIX))
# Photograph of `make demo`
PICTURE ?= examples/photo.png
# The 24 Kodak pictures of `make bench`
KODAK ?= $(or $(NEURALCODEC_KODAK),../shared/data/kodak)

header := include/neuralcodec.h
version := $(shell awk '/define NC_VERSION_/ {v = v s $$3; s = "."} END {print v}' $(header))
soname := libneuralcodec.so.$(firstword $(subst ., ,$(version)))

# Part of the library (Sources/CDefaultModel); older models are installed beside it.
embedded_model := nic-1.safetensors

stage := build
python := .venv/bin/python
# The Swift runtime goes into both products. They are linked apart, because the linker options of the library are not for the command;
# what is compiled is the same. The toolchain's own linker keeps the symbol table to the version script, which gold does not quite.
swift_products := swift build -c release --scratch-path .build/products -Xswiftc -static-stdlib -Xswiftc -use-ld=lld
products := .build/products/release
swift_tests := -c release --scratch-path .build/tests -Xswiftc -enable-testing

.PHONY: all stage products setup install demo test test-torch test-compressai goldens bench clean help

##   make             build everything and stage it in build/
all: stage

setup:
	@scripts/setup

products: setup
	$(swift_products) --product neuralcodec -Xlinker --version-script=exports.map -Xlinker -soname=$(soname)
	$(swift_products) --product neuralcodec-cli

# $(call install_files,FOLDER,PREFIX of the .pc file)
define install_files
	install -d $(1)/bin $(1)/lib/pkgconfig $(1)/include $(1)/share/man/man1 $(1)/share/neuralcodec/models
	install -s -m 755 $(products)/neuralcodec-cli $(1)/bin/neuralcodec
	install -s -m 755 $(products)/libneuralcodec.so $(1)/lib/libneuralcodec.so.$(version)
	ln -sf libneuralcodec.so.$(version) $(1)/lib/$(soname)
	ln -sf $(soname) $(1)/lib/libneuralcodec.so
	install -m 644 $(header) $(1)/include/neuralcodec.h
	sed -e 's|@prefix@|$(2)|' -e 's|@version@|$(version)|' pkgconfig/neuralcodec.pc.in >$(1)/lib/pkgconfig/neuralcodec.pc
	install -m 644 docs/man/neuralcodec.1 $(1)/share/man/man1/neuralcodec.1
	find models -name '*.safetensors' ! -name $(embedded_model) -exec install -m 644 -t $(1)/share/neuralcodec/models {} +
endef

# $(call install_python,FOLDER,environment of pkg-config)
define install_python
	cd bindings/python && $(2) $(abspath $(python)) setup.py -q build --force -b $(abspath .build/python) --build-lib $(1)
endef

stage: products
	$(call install_files,$(stage),$${pcfiledir}/../..)
	$(call install_python,$(abspath $(stage)/python),PKG_CONFIG_PATH=$(abspath $(stage)/lib/pkgconfig))

##   make install     install what make has built under PREFIX=/usr/local; DESTDIR= is put before it; PYTHONDIR= takes the Python package
install:
	@[ -e $(stage)/lib/libneuralcodec.so ] || { echo "make install: run make first" >&2; exit 1; }
	$(call install_files,$(DESTDIR)$(PREFIX),$(PREFIX))
	$(call install_python,$(abspath $(DESTDIR)$(PYTHONDIR)),PKG_CONFIG_PATH=$(abspath $(DESTDIR)$(PREFIX)/lib/pkgconfig) PKG_CONFIG_SYSROOT_DIR=$(DESTDIR))
	[ -n "$(DESTDIR)" ] || ldconfig 2>/dev/null || true

##   make demo        encode a photograph (PICTURE=examples/photo.png), beside JPEG at the same size
demo: stage
	$(python) Benchmarks/demo.py $(PICTURE)

##   make test        the Swift tests, then those of the staged command, C interface and Python package
test: stage
	swift build --product libneuralcodecPackageTests $(swift_tests)
	swift test --skip-build $(swift_tests)
	$(swift_products) --product neuralcodec-bench
	PYTHONPATH=$(abspath $(stage)/python) $(python) -m pytest -q -p no:cacheprovider Tests

##   make test-torch  the tests of the training package, with PyTorch
test-torch: stage
	scripts/setup --torch
	PYTHONPATH=$(abspath $(stage)/python) .venv-torch/bin/python -m pytest -q -p no:cacheprovider training/tests

##   make test-compressai  the live comparison with CompressAI, in .venv-compressai (5.8 GB, CPython 3.11 or older)
test-compressai: setup
	scripts/setup --compressai
	.venv-compressai/bin/python -m pytest -q -p no:cacheprovider training/tests/test_compressai_parity.py

##   make goldens     write the tiny model and its PyTorch goldens again (Tests/goldens); they change only on purpose
goldens: setup
	scripts/setup --torch
	.venv-torch/bin/python -m neuralcodec_training goldens Tests/goldens

##   make bench       on the Kodak pictures (KODAK=folder): rate, distortion and time beside JPEG, the entropy coder, speed, kernels
bench: stage
	$(python) Benchmarks/kodak.py $(KODAK)
	$(swift_products) --product neuralcodec-bench
	$(products)/neuralcodec-bench entropy models/$(embedded_model) $(KODAK)/*.png
	$(products)/neuralcodec-bench speed default $(KODAK)/*.png
	$(products)/neuralcodec-bench rans default
	clang -std=c2x -O2 -ISources/CKernels/include -ITests/kernels Tests/kernels/*.c Sources/CKernels/*.c -lm -o .build/kernelcheck
	.build/kernelcheck --bench

##   make clean       remove what was built; the virtual environments stay
clean:
	rm -rf .build $(stage)

##   make help        this list
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))
