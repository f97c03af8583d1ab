# SPDX-License-Identifier: Apache-2.0
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all

PREFIX ?= /usr/local
DESTDIR ?=
# Where the library goes below PREFIX
LIBDIR ?= lib
# Where `make install` puts the Python package: a folder of PREFIX that python3 searches, if it has one.
PYTHONDIR ?= $(shell python3 scripts/python-folder $(PREFIX))
# Where `make install` puts the loader of gdk-pixbuf. gdk-pixbuf looks in one folder only: pkg-config --variable=gdk_pixbuf_moduledir gdk-pixbuf-2.0
GDK_PIXBUF_MODULEDIR ?= $(PREFIX)/$(LIBDIR)/$(loaders)
# Photograph of `make demo`
PICTURE ?= examples/photo.png
# The 24 Kodak pictures of `make bench`
KODAK ?= $(or $(NEURALCODEC_KODAK),../shared/data/kodak)

header := include/neuralcodec.h
version := $(shell awk '/define NC_VERSION_/ {v = v s $$3; s = "."} END {print v}' $(header))
major := $(firstword $(subst ., ,$(version)))
soname := libneuralcodec.so.$(major)

# Part of the library (Sources/CDefaultModel); older models are installed beside it.
embedded_model := nic-2.safetensors

stage := build
python := .venv/bin/python
# The Swift runtime goes into both products. They are linked apart, because the linker options of the library are not for the command;
# what is compiled is the same. The toolchain's own linker keeps the symbol table to the version script, which gold does not quite.
swift_products := swift build -c release --scratch-path .build/products -Xswiftc -static-stdlib -Xswiftc -use-ld=lld
products := .build/products/release
swift_tests := -c release --scratch-path .build/tests -Xswiftc -enable-testing -Xswiftc -DTESTABLE

.PHONY: all stage products setup install wheel deb test-packages demo test test-torch test-compressai bench-compressai test-asan test-tsan test-valgrind goldens bench clean help

##   make             build everything and stage it in build/
all: stage

setup:
	@scripts/setup

products: setup
	$(swift_products) --product neuralcodec -Xlinker --version-script=exports.map -Xlinker -soname=$(soname)
	$(swift_products) --product neuralcodec-cli

# $(call install_files,FOLDER,PREFIX of the .pc file,folder of the library below both)
define install_files
	install -d $(1)/bin $(1)/$(3)/pkgconfig $(1)/include $(1)/share/man/man1 $(1)/share/neuralcodec/models
	install -s -m 755 $(products)/neuralcodec-cli $(1)/bin/neuralcodec
	install -s -m 755 $(products)/libneuralcodec.so $(1)/$(3)/libneuralcodec.so.$(version)
	ln -sf libneuralcodec.so.$(version) $(1)/$(3)/$(soname)
	ln -sf $(soname) $(1)/$(3)/libneuralcodec.so
	install -m 644 $(header) $(1)/include/neuralcodec.h
	$(call install_template,pkgconfig/neuralcodec.pc.in,$(1)/$(3)/pkgconfig,$(2),$(3))
	install -m 644 docs/man/neuralcodec.1 $(1)/share/man/man1/neuralcodec.1
	find models -name '*.safetensors' ! -name $(embedded_model) -exec install -m 644 -t $(1)/share/neuralcodec/models {} +
	$(call install_for_tools,$(1),$(2),$(3))
endef

# What other tools find: CMake's package, the type of .nic files, the shells' completions
define install_for_tools
	install -d $(1)/$(3)/cmake/neuralcodec $(1)/share/{mime/packages,bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
	$(call install_template,packaging/cmake/neuralcodecConfig.cmake.in,$(1)/$(3)/cmake/neuralcodec,$(2),$(3))
	$(call install_template,packaging/cmake/neuralcodecConfigVersion.cmake.in,$(1)/$(3)/cmake/neuralcodec,$(2),$(3))
	install -m 644 packaging/neuralcodec.xml $(1)/share/mime/packages/neuralcodec.xml
	$(products)/neuralcodec-cli --generate-completion-script bash >$(1)/share/bash-completion/completions/neuralcodec
	$(products)/neuralcodec-cli --generate-completion-script zsh >$(1)/share/zsh/site-functions/_neuralcodec
	$(products)/neuralcodec-cli --generate-completion-script fish >$(1)/share/fish/vendor_completions.d/neuralcodec.fish
endef

# $(call install_template,FILE.in,FOLDER,PREFIX,folder of the library below it)
define install_template
	sed -e 's|@prefix@|$(3)|' -e 's|@libdir@|$(4)|' -e 's|@to_prefix@|$(shell realpath -ms --relative-to=/$(4)/cmake/neuralcodec /)|' -e 's|@version@|$(version)|' \
		-e 's|@major@|$(major)|' -e 's|@soname@|$(soname)|' $(1) >$(2)/$(notdir $(basename $(1)))
endef

# $(call install_python,FOLDER,environment of pkg-config)
define install_python
	cd bindings/python && $(2) $(abspath $(python)) setup.py -q build --force -b $(abspath .build/python) --build-lib $(1)
endef

# Version of gdk-pixbuf's interface of modules; empty where its development files are not installed
gdk_pixbuf := $(shell pkg-config --variable=gdk_pixbuf_binary_version gdk-pixbuf-2.0 2>/dev/null)
loaders := gdk-pixbuf-2.0/$(gdk_pixbuf)/loaders

# $(call install_integrations,FOLDER,PREFIX,folder of gdk-pixbuf's loaders,where the loader finds the library)
define install_integrations
	install -d $(1)/share/neuralcodec/ImageMagick
	sed -e 's|@prefix@|$(2)|' integrations/imagemagick/delegates.xml.in >$(1)/share/neuralcodec/ImageMagick/delegates.xml
	install -m 644 integrations/imagemagick/magic.xml $(1)/share/neuralcodec/ImageMagick/magic.xml
	$(if $(gdk_pixbuf),$(install_loader),@echo "make: no loader for GTK programs: pkg-config does not find gdk-pixbuf-2.0 (Debian: libgdk-pixbuf-2.0-dev)")
endef

# With the arguments of install_integrations. The loader is linked for its place.
define install_loader
	install -d $(1)/share/thumbnailers
	install -m 644 integrations/gdk-pixbuf/neuralcodec.thumbnailer $(1)/share/thumbnailers/neuralcodec.thumbnailer
	PKG_CONFIG_PATH=$(abspath $(stage)/lib/pkgconfig) $(MAKE) -s -B -C integrations/gdk-pixbuf OUT=$(abspath $(3)) LDFLAGS=-s NEURALCODEC_RPATH='$(4)'
endef

stage: products
	$(call install_files,$(stage),$${pcfiledir}/../..,lib)
	$(call install_python,$(abspath $(stage)/python),PKG_CONFIG_PATH=$(abspath $(stage)/lib/pkgconfig))
	$(call install_integrations,$(stage),$(abspath $(stage)),$(stage)/lib/$(loaders),$$$$ORIGIN/../../..)

##   make install     install what make has built under PREFIX=/usr/local; DESTDIR= is put before it; LIBDIR=lib takes the library, PYTHONDIR= the Python package
install:
	@[ -e $(stage)/lib/libneuralcodec.so ] || { echo "make install: run make first" >&2; exit 1; }
	$(call install_files,$(DESTDIR)$(PREFIX),$(PREFIX),$(LIBDIR))
	$(call install_python,$(abspath $(DESTDIR)$(PYTHONDIR)),PKG_CONFIG_PATH=$(abspath $(DESTDIR)$(PREFIX)/$(LIBDIR)/pkgconfig) PKG_CONFIG_SYSROOT_DIR=$(DESTDIR))
	[ -n "$(DESTDIR)" ] || ldconfig 2>/dev/null || true
	$(call install_integrations,$(DESTDIR)$(PREFIX),$(PREFIX),$(DESTDIR)$(GDK_PIXBUF_MODULEDIR),$(if $(filter undefined,$(origin NEURALCODEC_RPATH)),$(PREFIX)/$(LIBDIR),$(NEURALCODEC_RPATH)))
	$(if $(DESTDIR),,$(if $(gdk_pixbuf),integrations/gdk-pixbuf/update-cache $(GDK_PIXBUF_MODULEDIR)))

packages := $(stage)/packages

##   make wheel       a Python wheel with the library inside, in build/packages
wheel: stage
	scripts/setup --packages
	packaging/wheel $(stage) $(packages)

##   make deb         Debian packages of the library, its development files, the command, the Python package and the loader for GTK programs, in build/packages
deb: stage
	scripts/setup --packages
	packaging/deb $(packages)

##   make test-packages  installs wheel and Debian packages in clean environments, without what was built, and tries them (docs/packages.md)
test-packages: wheel deb
	scripts/try-packages $(packages)

##   make demo        encode a photograph (PICTURE=examples/photo.png), beside JPEG at the same size
demo: stage
	$(python) Benchmarks/demo.py $(PICTURE)

##   make test        the Swift tests, then those of the staged command, C interface and Python package
test:
	scripts/setup --test
	$(MAKE) --no-print-directory stage
	swift build --product libneuralcodecPackageTests $(swift_tests)
	swift test --skip-build $(swift_tests)
	$(swift_products) --product neuralcodec-bench
	PYTHONPATH=$(abspath $(stage)/python) $(python) -m pytest -q -p no:cacheprovider Tests

##   make test-torch  the tests of the training package, with PyTorch
test-torch: stage
	scripts/setup --torch
	$(swift_products) --product neuralcodec-bench
	PYTHONPATH=$(abspath $(stage)/python) .venv-torch/bin/python -m pytest -q -p no:cacheprovider training/tests

##   make test-compressai  the live comparison with CompressAI and imports of its models, in .venv-compressai (5.8 GB, CPython 3.11 or older)
test-compressai: stage
	scripts/setup --compressai
	.venv-compressai/bin/python -m pytest -q -p no:cacheprovider training/tests/test_compressai_parity.py training/tests/test_compressai_import_live.py

##   make bench-compressai  the whole codec of CompressAI beside the library's, in the same environment
bench-compressai: stage
	scripts/setup --compressai
	PYTHONPATH=$(abspath $(stage)/python) .venv-compressai/bin/python Benchmarks/compressai_speed.py

asan := -c release --sanitize=address --scratch-path .build/asan -Xswiftc -enable-testing \
	-Xcc -fsanitize=undefined -Xcc -fno-sanitize=pointer-overflow -Xcc -fno-sanitize-recover=all
tsan := -c release --sanitize=thread --scratch-path .build/tsan -Xswiftc -enable-testing

##   make test-asan   the Swift tests and the C programs with AddressSanitizer, and UndefinedBehaviorSanitizer in C (docs/testing.md)
test-asan: setup
	swift build --build-tests $(asan)
	ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=0 swift test --skip-build $(asan)
	swift build --product neuralcodec $(asan)
	Tests/c/run asan .build/asan/release

##   make test-tsan   the Swift tests with ThreadSanitizer
test-tsan: setup
	swift build --build-tests $(tsan)
	TSAN_OPTIONS=allocator_may_return_null=1 swift test --skip-build $(tsan)

##   make test-valgrind   C programs on the staged library, with Valgrind
test-valgrind: stage
	@command -v valgrind >/dev/null || { echo "make test-valgrind: valgrind is not installed" >&2; exit 1; }
	Tests/c/run valgrind $(stage)/lib

##   make goldens     write the tiny model and its PyTorch goldens again (Tests/goldens), and missing models of Tests/conformance/zoo; they change only on purpose
goldens: setup
	scripts/setup --torch
	.venv-torch/bin/python -m neuralcodec_training goldens Tests/goldens
	.venv-torch/bin/python -m neuralcodec_training conformance-models Tests/conformance/zoo

# Runs a part of `make bench` and keeps its JSON in build/bench
part := $(python) Benchmarks/record.py
kernelcheck := .build/kernelcheck
bench := $(products)/neuralcodec-bench
staged_python := PYTHONPATH=$(abspath $(stage)/python)

##   make bench       figures, each a table and build/bench/*.json: rate and distortion on Kodak (KODAK=folder) beside JPEG, entropy coder, speed, scaling, batches, kernels,
##                  quantizers (with the plots of docs/quantizers.md), published networks beside PyTorch, and their complexity
bench: stage
	scripts/setup --bench
	scripts/setup --torch
	$(swift_products) --product neuralcodec-bench
	swift build --product neuralcodec-bench $(swift_tests)
	clang -std=c2x -O2 -ISources/CKernels/include -ITests/kernels Tests/kernels/*.c Sources/CKernels/*.c -lm -o $(kernelcheck)
	mkdir -p .build/rans
	$(part) kodak $(python) Benchmarks/kodak.py $(KODAK)
	$(part) entropy $(bench) entropy models/$(embedded_model) $(KODAK)/*.png
	$(part) rans $(bench) rans default .build/rans $(KODAK)/*.png
	$(part) constriction .venv-bench/bin/python Benchmarks/constriction_coder.py .build/rans $(stage)/bench/rans.json
	$(part) speed $(bench) speed default $(KODAK)/*.png
	$(part) scaling $(bench) scaling models/$(embedded_model) $(KODAK)/*.png
	$(part) batch $(python) Benchmarks/batch.py $(KODAK)
	$(part) kernels $(kernelcheck) --bench
	$(part) quantizer-torch env $(staged_python) .venv-torch/bin/python Benchmarks/quantizer_torch.py
	$(part) quantizer-times env $(staged_python) .venv-bench/bin/python Benchmarks/quantizer_times.py --plot $(stage)/bench/quantizer-times.svg
	$(part) lattice-gain env $(staged_python) OMP_NUM_THREADS=1 .venv-bench/bin/python Benchmarks/lattice_gain.py --plot $(stage)/bench/lattice-gain.svg $(bench) $(KODAK)
	$(part) layers .venv-torch/bin/python Benchmarks/torch_layers.py .build/tests/release/neuralcodec-bench
	$(part) zoo-speed env $(staged_python) .venv-torch/bin/python Benchmarks/zoo_speed.py $(kernelcheck)
	$(part) zoo-complexity env $(staged_python) .venv-torch/bin/python Benchmarks/zoo_complexity.py

##   make clean       remove what was built; the virtual environments stay
clean:
	rm -rf .build $(stage)

##   make help        this list
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))
