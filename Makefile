# make deps | run | test | check | analyse | bench | build-deps | all | install | deb; see README.md. Nothing is written outside build/.

APXS    ?= $(firstword $(wildcard /usr/bin/apxs /usr/bin/apxs2 /usr/sbin/apxs) apxs)
PYTHON  ?= /usr/bin/python3
CC      ?= cc
DESTDIR ?=
PREFIX  ?= /usr
PORT    ?= 8443
ARGS    ?=

# What is built from, and what it is tested with besides, by the names of Debian's packages.
BUILD_PACKAGES = gcc libc6-dev apache2-dev libjansson-dev libcurl4-openssl-dev \
                 libaprutil1-dbd-sqlite3 libaprutil1-dbd-pgsql
TEST_PACKAGES  = apache2-bin libcmocka-dev postgresql openssl python3 python3-pytest python3-psycopg2 \
                 python3-jinja2

BUILD = build
SO    = $(BUILD)/mod_pexip_rc.so

CORE  = $(wildcard src/core/*.c)
STORE = $(wildcard src/store/*.c)
JSON  = $(wildcard src/json/*.c)
DB    = $(wildcard src/db/*.c)
ROCKETCHAT = $(wildcard src/rocketchat/*.c)
HTTPD = $(wildcard src/httpd/*.c) mod_pexip_rc.c
PURE  = $(CORE) $(STORE) $(JSON) $(ROCKETCHAT)
APR   = $(DB) $(HTTPD) $(wildcard test/unit/test_db*.c)
UNITS = $(patsubst test/unit/%.c,%,$(wildcard test/unit/test_*.c))

WARNINGS = -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wvla -Wformat=2
ifneq ($(CI),)
WARNINGS += -Werror
endif
HARDENING = -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2
OPTIMISE ?= -O2 -g
BASE      = -std=gnu11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -Iinclude $(WARNINGS) -MMD -MP
LINK      = -shared -Wl,-z,relro,-z,now,-z,noexecstack \
            -Wl,--version-script=src/httpd/exports.map
SANITIZE  = -fsanitize=address,undefined -fno-sanitize-recover=undefined \
            -fno-omit-frame-pointer -O1 -g

# Asked only when something of httpd is compiled: `make deps` must work before apxs exists.
# System headers, because warnings about their macros are not ours to mend.
APR_FLAGS   = -isystem $(shell apr-1-config --includedir) $(shell apr-1-config --cppflags)
HTTPD_FLAGS = -isystem $(shell $(APXS) -q INCLUDEDIR) $(shell $(APXS) -q EXTRA_CPPFLAGS)
flags_for = $(if $(filter $(APR),$(1)),$(APR_FLAGS)) $(if $(filter $(HTTPD),$(1)),$(HTTPD_FLAGS))

.PHONY: all alerts analyse bench check replay fuzzers tsan coverage deb deb-test deps build-deps run test \
        install clean format unit sanitized app plugin contract browser node

all: $(SO)

deps:
	@sh test/support/deps.sh $(BUILD_PACKAGES) $(TEST_PACKAGES)

build-deps:
	@sh test/support/deps.sh $(BUILD_PACKAGES)

# An object for each flavour: plain, and instrumented for the tests.
$(BUILD)/plain/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(BASE) $(OPTIMISE) $(HARDENING) $(call flags_for,$<) -c $< -o $@

$(BUILD)/sanitized/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(BASE) $(SANITIZE) $(call flags_for,$<) -c $< -o $@

objects = $(patsubst %.c,$(BUILD)/$(1)/%.o,$(2))

$(SO): $(call objects,plain,$(PURE) $(DB) $(HTTPD)) src/httpd/exports.map
	$(CC) $(LINK) -o $@ $(filter %.o,$^) $(SO_LIBS)

SO_LIBS = -ljansson -lcurl -laprutil-1 -lapr-1 -lpthread -ldl

$(BUILD)/sanitized/mod_pexip_rc.so: $(call objects,sanitized,$(PURE) $(DB) $(HTTPD)) src/httpd/exports.map
	$(CC) $(LINK) $(SANITIZE) -o $@ $(filter %.o,$^) $(SO_LIBS)

sanitized: $(BUILD)/sanitized/mod_pexip_rc.so

# Unit tests run with the sanitizers.
$(BUILD)/unit/%: test/unit/%.c $(wildcard test/unit/*.h) $(call objects,sanitized,$(PURE) $(DB))
	@mkdir -p $(@D)
	$(CC) $(BASE) $(SANITIZE) $(call flags_for,$<) -o $@ $< \
	    $(call objects,sanitized,$(PURE) $(DB)) -lcmocka $(SO_LIBS)

unit: $(addprefix $(BUILD)/unit/,$(UNITS))

# The fuzz targets over the inputs that are kept, as part of the tests.
FUZZ = $(patsubst test/fuzz/%.c,%,$(filter-out test/fuzz/replay.c,$(wildcard test/fuzz/*.c)))
FUZZ_HEADERS = $(wildcard test/fuzz/*.h test/unit/*.h)

$(BUILD)/replay/%: test/fuzz/%.c test/fuzz/replay.c $(FUZZ_HEADERS) $(call objects,sanitized,$(PURE))
	@mkdir -p $(@D)
	$(CC) $(filter-out -MMD -MP,$(BASE)) $(SANITIZE) -o $@ $(filter %.c %.o,$^) -lcmocka $(SO_LIBS)

replay: $(addprefix $(BUILD)/replay/,$(FUZZ))

# What takes long: TIME seconds for each fuzz target, the instrumented module under the other MPMs,
# races, memory that was never written, and coverage.
CHECK_PACKAGES = clang libclang-rt-dev valgrind
TIME ?= 60

FUZZING = -fsanitize=address,undefined -fno-sanitize-recover=undefined \
          -fno-omit-frame-pointer -O1 -g

$(BUILD)/fuzzing/%.o: %.c
	@mkdir -p $(@D)
	clang $(BASE) $(FUZZING) -fsanitize=fuzzer-no-link -c $< -o $@

$(BUILD)/fuzzers/%: test/fuzz/%.c $(FUZZ_HEADERS) $(call objects,fuzzing,$(PURE))
	@mkdir -p $(@D)
	clang $(filter-out -MMD -MP,$(BASE)) $(FUZZING) -fsanitize=fuzzer -o $@ $(filter %.c %.o,$^) \
	    -lcmocka $(SO_LIBS)

fuzzers: $(addprefix $(BUILD)/fuzzers/,$(FUZZ))

# Compiled without warnings: some come from little optimisation only, one from fences, which
# ThreadSanitizer does not know.
UNWARNED = $(filter-out $(WARNINGS) -MMD -MP,$(BASE))
TSAN      = -fsanitize=thread -fno-omit-frame-pointer -O1 -g
TSAN_WRAP = -Wl,--wrap=pthread_mutex_clocklock

$(BUILD)/tsan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(UNWARNED) -MMD -MP $(TSAN) $(call flags_for,$<) -c $< -o $@

$(BUILD)/tsan/mod_pexip_rc.so: $(call objects,tsan,$(PURE) $(DB) $(HTTPD) test/support/tsan.c) src/httpd/exports.map
	$(CC) $(LINK) $(TSAN) $(TSAN_WRAP) -o $@ $(filter %.o,$^) $(SO_LIBS)

$(BUILD)/tsan/unit/%: test/unit/%.c $(wildcard test/unit/*.h) $(call objects,tsan,$(PURE) $(DB) test/support/tsan.c)
	@mkdir -p $(@D)
	$(CC) $(UNWARNED) $(TSAN) $(TSAN_WRAP) $(call flags_for,$<) -o $@ $(filter %.c %.o,$^) -lcmocka $(SO_LIBS)

# Those in which threads meet.
THREADED = $(notdir $(basename $(shell grep -l pthread_create test/unit/test_*.c)))

tsan: $(BUILD)/tsan/mod_pexip_rc.so $(addprefix $(BUILD)/tsan/unit/,$(THREADED))

COVERAGE = --coverage -O0 -g

$(BUILD)/coverage/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(UNWARNED) -MMD -MP $(COVERAGE) $(call flags_for,$<) -c $< -o $@

$(BUILD)/coverage/unit/%: test/unit/%.c $(wildcard test/unit/*.h) $(call objects,coverage,$(PURE) $(DB))
	@mkdir -p $(@D)
	$(CC) $(UNWARNED) $(COVERAGE) $(call flags_for,$<) -o $@ $(filter %.c %.o,$^) -lcmocka $(SO_LIBS)

coverage: $(addprefix $(BUILD)/coverage/unit/,$(UNITS))

check: deps
	@sh test/support/deps.sh $(CHECK_PACKAGES)
	@$(MAKE) --no-print-directory analyse all unit sanitized fuzzers tsan coverage
	@PXR_FUZZ_TIME=$(TIME) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) test/all.py $(or $(ARGS),$(CHECK_PARTS))

CHECK_PARTS = fuzzing sanitized-worker sanitized-prefork tsan valgrind coverage

# What runs inside Rocket.Chat, and what proves that it fits, comes from npm by name and version, npm
# itself included: the one of Debian 12 knows no overrides but of ranges of versions. Everything they
# write stays below build/npm. A node of another origin than Debian is as good.
NPM_HOME    = $(BUILD)/npm
NPM_OPTIONS = --cache "$(abspath $(NPM_HOME))/cache" --ignore-scripts --no-audit --no-fund \
              --no-package-lock --no-update-notifier --fetch-retries=1 --loglevel=error
NPM         = "$(abspath $(NPM_HOME))/npm/node_modules/.bin/npm" install $(NPM_OPTIONS)
NODE_PACKAGES = $(if $(shell command -v node),,nodejs) $(if $(shell command -v npm),,npm)

node:
	@$(if $(strip $(NODE_PACKAGES)),sh test/support/deps.sh $(NODE_PACKAGES),:)

$(NPM_HOME)/npm/installed: | node
	@mkdir -p $(@D)
	cd $(@D) && echo '{"private": true}' >package.json && npm install $(NPM_OPTIONS) npm@10.9.8
	@touch $@

# Rocket.Chat's request validators: the packages cannot be loaded as they are, one file of each can.
VALIDATORS = $(patsubst test/contract/validators/%.json,$(NPM_HOME)/validators/%.cjs,\
               $(wildcard test/contract/validators/*.json))
BUNDLER    = test/contract/validators/bundle.mjs

$(NPM_HOME)/esbuild/installed: | $(NPM_HOME)/npm/installed
	@mkdir -p $(@D)
	cd $(@D) && echo '{"private": true}' >package.json && $(NPM) esbuild@0.28.2
	@touch $@

$(NPM_HOME)/validators/%.cjs: test/contract/validators/%.json $(BUNDLER) $(NPM_HOME)/esbuild/installed
	@rm -rf $(NPM_HOME)/rest-typings-$*
	@mkdir -p $(@D) $(NPM_HOME)/rest-typings-$*
	cp $< $(NPM_HOME)/rest-typings-$*/package.json
	cd $(NPM_HOME)/rest-typings-$* && $(NPM)
	node $(BUNDLER) $(NPM_HOME)/esbuild $(NPM_HOME)/rest-typings-$* $@.part
	mv $@.part $@
	@rm -rf $(NPM_HOME)/rest-typings-$*

# The companion app. The packager changes app.json and wants its packages beside it, so it gets copies.
APP         = src/rocketchat-app
APP_BUILD   = $(BUILD)/rocketchat-app
APP_ZIP     = $(APP_BUILD)/pexip-rc_$(shell sed -n 's/.*"version": "\(.*\)".*/\1/p' $(APP)/app.json).zip
APP_SOURCES = $(wildcard $(APP)/*.ts $(APP)/*.json $(APP)/i18n/*.json) $(APP)/icon.mjs

$(NPM_HOME)/app/installed: $(APP)/package.json | $(NPM_HOME)/npm/installed
	@rm -rf $(@D)
	@mkdir -p $(@D)
	cp $< $(@D)
	cd $(@D) && $(NPM)
	@touch $@

$(APP_ZIP): $(APP_SOURCES) $(NPM_HOME)/app/installed
	@rm -rf $(APP_BUILD)
	@mkdir -p $(APP_BUILD)/package
	cp -r $(filter-out %.mjs,$(wildcard $(APP)/*.ts $(APP)/*.json $(APP)/i18n)) $(APP_BUILD)/package
	node $(APP)/icon.mjs $(APP_BUILD)/package/icon.png
	ln -s ../../npm/app/node_modules $(APP_BUILD)/package/node_modules
	cd $(APP_BUILD)/package && HOME="$(abspath $(NPM_HOME))" XDG_CACHE_HOME= XDG_CONFIG_HOME= \
	    XDG_DATA_HOME= node_modules/.bin/rc-apps package
	mv $(APP_BUILD)/package/dist/$(@F) $@

app: node
	@$(MAKE) --no-print-directory $(APP_ZIP)

# The plugin for Pexip's web app, as a branding package. RC, ENDPOINT and PEXIP_CHAT are explained in its README.
PLUGIN          = src/webapp3-plugin
PLUGIN_BUILD    = $(BUILD)/webapp3-plugin
PLUGIN_ZIP      = $(PLUGIN_BUILD)/rc-chat_$(shell sed -n 's/.*"version": "\(.*\)".*/\1/p' $(PLUGIN)/package.json).zip
PLUGIN_SCRIPT   = $(PLUGIN_BUILD)/script/index.js
PLUGIN_PACKAGES = $(NPM_HOME)/plugin/node_modules

$(NPM_HOME)/plugin/installed: $(PLUGIN)/package.json | $(NPM_HOME)/npm/installed
	@rm -rf $(@D)
	@mkdir -p $(@D)
	cp $< $(@D)
	cd $(@D) && $(NPM)
	@touch $@

# A plain script: it needs no right MIME type, and runs in whatever frame it is put into.
$(PLUGIN_SCRIPT): $(wildcard $(PLUGIN)/*.ts) $(NPM_HOME)/plugin/installed $(NPM_HOME)/esbuild/installed
	NODE_PATH="$(abspath $(PLUGIN_PACKAGES))" $(NPM_HOME)/esbuild/node_modules/.bin/esbuild $(PLUGIN)/main.ts \
	    --bundle --minify --format=iife --target=es2020 --charset=utf8 --log-level=warning --outfile=$@

# Always packed again, because nobody knows which variables the last package was made with. make itself puts them into
# the environment.
plugin: node
	@$(MAKE) --no-print-directory $(PLUGIN_SCRIPT)
	@$(PYTHON) $(PLUGIN)/package.py $(PLUGIN_SCRIPT) $(PLUGIN_PACKAGES) $(PLUGIN_BUILD) $(PLUGIN_ZIP)

# What the newest Apps-Engine says about itself; its definitions are all that it still publishes.
$(NPM_HOME)/newest/installed: test/contract/app/package.json | $(NPM_HOME)/npm/installed
	@rm -rf $(@D)
	@mkdir -p $(@D)
	cp $< $(@D)
	cd $(@D) && $(NPM)
	@touch $@

# Rocket.Chat's message parsers of several releases. The newer ones are ES modules that do not say so,
# which Debian's node does not find out by itself.
$(NPM_HOME)/parser/bundled: test/contract/parser/package.json $(NPM_HOME)/esbuild/installed
	@rm -rf $(@D)
	@mkdir -p $(@D)
	cp $< $(@D)
	cd $(@D) && $(NPM)
	cd $(@D) && ../esbuild/node_modules/.bin/esbuild --bundle --platform=node --format=cjs \
	    --out-extension:.js=.cjs --outdir=bundles --log-level=error \
	    $$(cd node_modules && for name in parser-*; do echo "$$name=$$name"; done)
	@touch $@

# Pexip's own library for plugins, in the versions that web apps differ by.
$(NPM_HOME)/plugin-api/bundled: test/contract/plugin/package.json test/contract/plugin/vendor.mjs \
                                $(NPM_HOME)/esbuild/installed
	@rm -rf $(@D)
	@mkdir -p $(@D)
	cp $< $(@D)
	cd $(@D) && $(NPM)
	for version in 19 21 22; do \
	    NODE_PATH="$(abspath $(@D))/node_modules" $(NPM_HOME)/esbuild/node_modules/.bin/esbuild \
	        test/contract/plugin/vendor.mjs --bundle --format=iife --log-level=error \
	        --alias:@pexip/plugin-api=plugin-api-$$version --outfile=$(@D)/vendor-$$version.js || exit; \
	done
	@touch $@

contract: node
	@$(MAKE) --no-print-directory -j4 $(APP_ZIP) $(VALIDATORS) $(NPM_HOME)/newest/installed \
	    $(NPM_HOME)/parser/bundled $(PLUGIN_SCRIPT) $(NPM_HOME)/plugin-api/bundled

# What drives the browser of test/browser, which is Debian's; this release still runs on Debian's node.
$(NPM_HOME)/browser/installed: | $(NPM_HOME)/npm/installed
	@mkdir -p $(@D)
	cd $(@D) && echo '{"private": true}' >package.json && $(NPM) playwright-core@1.60.0
	@touch $@

browser: node
	@$(if $(shell command -v chromium),:,sh test/support/deps.sh chromium)
	@$(MAKE) --no-print-directory $(NPM_HOME)/browser/installed $(PLUGIN_SCRIPT)

# What tests the alert rules.
PROMTOOL = $(BUILD)/prometheus/usr/bin/promtool

$(PROMTOOL):
	@sh test/support/promtool.sh $(BUILD)/prometheus

alerts:
	@$(if $(shell command -v promtool),:,$(MAKE) --no-print-directory $(PROMTOOL))

# What the speed is compared with. BENCH passes options: BENCH="--rounds 9 --meetings 10".
BENCH_PACKAGES = wrk

$(BUILD)/mod_bench.so: test/bench/mod_bench.c
	@mkdir -p $(@D)
	$(CC) $(BASE) $(OPTIMISE) $(HARDENING) $(APR_FLAGS) $(HTTPD_FLAGS) -shared -o $@ $< -ljansson

$(BUILD)/bench_sizes.so: test/bench/sizes.c $(call objects,plain,$(CORE) $(STORE))
	$(CC) $(BASE) $(OPTIMISE) -shared -o $@ $^ -lpthread

$(NPM_HOME)/express/installed: | $(NPM_HOME)/npm/installed
	@mkdir -p $(@D)
	cd $(@D) && echo '{"private": true}' >package.json && $(NPM) express@4.21.2
	@touch $@

bench: deps
	@sh test/support/deps.sh $(BENCH_PACKAGES) $(NODE_PACKAGES)
	@$(MAKE) --no-print-directory $(NPM_HOME)/express/installed || echo "no npm: without Express"
	@$(MAKE) --no-print-directory all $(BUILD)/mod_bench.so $(BUILD)/bench_sizes.so
	@$(PYTHON) test/bench/bench.py $(BENCH)

run: deps
	@$(MAKE) --no-print-directory $(SO)
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) test/run/play.py --port $(PORT) $(ARGS)

test: deps
	@$(MAKE) --no-print-directory -j"$$(nproc)" all unit replay sanitized
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) test/all.py $(ARGS)

# An administrator's configuration is not overwritten.
install: $(SO)
	install -d "$(DESTDIR)$(shell $(APXS) -q LIBEXECDIR)"
	install -m 644 $(SO) "$(DESTDIR)$(shell $(APXS) -q LIBEXECDIR)/"
	install -d "$(DESTDIR)$(PREFIX)/sbin" "$(DESTDIR)$(PREFIX)/lib/pexip-rc/pexip_rc_setup"
	install -m 755 src/setup/pexip-rc-setup "$(DESTDIR)$(PREFIX)/sbin/"
	install -m 644 src/setup/pexip_rc_setup/*.py "$(DESTDIR)$(PREFIX)/lib/pexip-rc/pexip_rc_setup/"
	@if [ -e /etc/debian_version ]; then \
	    available="$(DESTDIR)/etc/apache2/mods-available"; \
	    install -d "$$available"; \
	    install -m 644 conf/pexip_rc.load "$$available/"; \
	    if [ -e "$$available/pexip_rc.conf" ]; then \
	        echo "$$available/pexip_rc.conf is kept; see conf/pexip_rc.conf for what is new"; \
	    else \
	        install -m 644 conf/pexip_rc.conf "$$available/"; \
	    fi; \
	fi

# What other compilers and analysers say of the same source; each file again only after a change.
ANALYSE          = $(BUILD)/analyse
ANALYSE_PACKAGES = clang clang-tidy
ANALYSED         = $(PURE) $(DB) $(HTTPD)
C_OF_TESTS       = $(wildcard test/unit/*.c test/bench/*.c test/fuzz/*.c)
CLANG_WARNINGS = -Werror -Wall -Wextra -Wpedantic -Wshadow-all -Wcomma -Wconditional-uninitialized -Wassign-enum \
                 -Wcovered-switch-default -Wdouble-promotion -Wduplicate-enum -Wfloat-equal -Wheader-hygiene \
                 -Wloop-analysis -Wmissing-variable-declarations -Wpointer-arith -Wsign-conversion \
                 -Wsometimes-uninitialized -Wtautological-compare -Wunreachable-code-aggressive -Wundef \
                 -Wwrite-strings -Wno-string-concatenation
GCC_WARNINGS   = -Werror -fanalyzer -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wnull-dereference \
                 -Wjump-misses-init -Wwrite-strings -Wundef -Wmissing-prototypes -Wpointer-arith \
                 -Wcast-align=strict -Walloca -Wstringop-overflow=4 -Wformat-overflow=2 -Wformat-signedness \
                 -Warith-conversion -Wunused-const-variable=2 -Wunused-macros -Wold-style-definition
# The analyser of gcc 12 loses memory that is kept by a structure behind another pointer.
$(ANALYSE)/gcc/src/httpd/history_page.o $(ANALYSE)/gcc/src/httpd/messenger.o: GCC_WARNINGS += -Wno-analyzer-malloc-leak

analysed_flags = $(BASE) $(APR_FLAGS) $(HTTPD_FLAGS)

$(ANALYSE)/clang/%.o: %.c
	@mkdir -p $(@D)
	@clang $(analysed_flags) $(OPTIMISE) $(CLANG_WARNINGS) -c $< -o $@

$(ANALYSE)/gcc/%.o: %.c
	@mkdir -p $(@D)
	@gcc $(analysed_flags) $(OPTIMISE) $(HARDENING) $(GCC_WARNINGS) -c $< -o $@

# It knows by clang's object which headers the file includes.
$(ANALYSE)/tidy/%.done: %.c .clang-tidy $(ANALYSE)/clang/%.o
	@mkdir -p $(@D)
	@clang-tidy --quiet $< -- $(filter-out -MMD -MP,$(analysed_flags)) 2>$@.log || { cat $@.log; exit 1; }
	@touch $@

# The oldest httpd that is promised, as far as the headers of this one can tell; an older one is refused.
$(ANALYSE)/oldest.h: test/lint/oldest.py $(wildcard src/httpd/*.h) $(HTTPD)
	@mkdir -p $(@D)
	@$(PYTHON) $< "$(shell $(APXS) -q INCLUDEDIR)" >$@.part
	@mv $@.part $@

$(ANALYSE)/oldest.done: $(ANALYSE)/oldest.h
	@for file in $(HTTPD); do \
	    gcc $(filter-out -MMD -MP,$(analysed_flags)) -w -include $< -fsyntax-only $$file || exit; \
	done
	@gcc $(filter-out -MMD -MP,$(analysed_flags)) -w -DOLDEST=0 -include $< -fsyntax-only mod_pexip_rc.c 2>&1 | \
	    grep -q 'error.*or newer' || { echo "an httpd that is too old is not refused"; exit 1; }
	@touch $@

analyse: deps
	@sh test/support/deps.sh $(ANALYSE_PACKAGES)
	@$(MAKE) --no-print-directory -s -j$$(nproc) $(ANALYSE)/oldest.done \
	    $(patsubst %.c,$(ANALYSE)/clang/%.o,$(ANALYSED) $(C_OF_TESTS)) \
	    $(foreach tool,gcc/%.o tidy/%.done,$(patsubst %.c,$(ANALYSE)/$(tool),$(ANALYSED)))
	@echo "analyse: nothing found in $(words $(ANALYSED) $(C_OF_TESTS)) files"

# A package for Debian, build/deb/libapache2-mod-pexip-rc_*.deb.
DEB_PACKAGES = build-essential debhelper lintian

deb:
	@sh test/support/deps.sh $(BUILD_PACKAGES) $(DEB_PACKAGES)
	@sh conf/debian/build.sh $(BUILD)/deb

# What test/deb installs the package beside.
deb-test: deb
	@sh test/deb/fetch.sh "$(abspath $(BUILD))/deb-test"

format:
	clang-format -i mod_pexip_rc.c include/*.h src/*/*.[ch] test/unit/*.[ch] test/fuzz/*.[ch]

clean:
	rm -rf $(BUILD)

-include $(wildcard $(BUILD)/plain/*.d $(BUILD)/plain/src/*/*.d \
                    $(BUILD)/sanitized/*.d $(BUILD)/sanitized/src/*/*.d $(BUILD)/unit/*.d \
                    $(BUILD)/fuzzing/src/*/*.d $(BUILD)/tsan/*.d $(BUILD)/tsan/src/*/*.d \
                    $(BUILD)/coverage/src/*/*.d \
                    $(ANALYSE)/*/*.d $(ANALYSE)/*/*/*/*.d)
