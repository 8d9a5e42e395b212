# Every goal first runs tests/host/setup.py, which takes minutes once and no time after that.
# PYTHON names the Python 3.11+ to build on; COMFYUI your own ComfyUI folder, if the tests should run in that one.
PYTHON ?= python3
run := build/venv/bin/python

.PHONY: demo test test-browser fuzz soak lint format bench-quality bench-speed bench-words bench-many train-mini train-control train-words locales thumbnails ui setup browser clean

demo: setup # erase a concept in a real ComfyUI: grid, report and table in build/demo
	$(run) -m tests.host.demo

test: lint browser # everything CI checks, in two processes: one file's tests run in one of them
	OMP_NUM_THREADS=1 $(run) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-browser: browser # of these only the page in a real Chromium, four times: two frontends, two designs
	$(run) -m pytest tests/browser

fuzz: browser # the properties on 10,000 new cases each, about 10 minutes; make test tries 50 of each
	OMP_NUM_THREADS=1 PROPERTIES=fuzz $(run) -m pytest tests/properties --durations=0 --timeout=3600

soak: setup # random graphs with random options on a real server for 10 minutes
	$(run) -m tests.host.soak

lint: setup
	$(run) -m ruff format --check .
	$(run) -m ruff check .
	$(run) -m basedpyright --level error

format: setup
	$(run) -m ruff check --fix .
	$(run) -m ruff format .

bench-quality: setup # the full table, 100 images a cell, in build/bench
	$(run) -m benchmarks.quality

bench-words: setup # erasures behind a pretrained text encoder, in build/bench; QUICK=1 takes minutes, BASE=commit compares
	$(run) -m benchmarks.words

bench-many: setup # 1 to 1,000 names at once, in build/bench, with a plot; QUICK=1 takes minutes, BASE=commit compares
	$(run) -m benchmarks.many

bench-speed: setup # time and memory at real shapes, on CUDA where torch has it; QUICK=1 takes minutes; BASE=<commit>
	$(run) -m benchmarks.speed

train-mini: setup # train the mini model again, about 20 minutes on 2 cores
	$(run) -m tests.mini.train

train-control: setup # train the mini model's ControlNet again, about 12 minutes on one core
	$(run) -m tests.mini.train_control

train-words: setup # train the UNet of tests/words; its README says what is known of how long
	$(run) -m tests.words.train

locales: setup # locales/en anew from the nodes' own texts, after a change to a schema
	$(run) -m tests.host.locales

thumbnails: setup # the pictures of the example workflows, from runs on the mini model
	$(run) -m tests.host.thumbnails

ui: setup # ComfyUI with the pack and the mini model, for a person to look at
	$(run) -m tests.host.server

setup:
	@$(PYTHON) tests/host/setup.py

browser: setup # what the browser tests need besides: Chromium, Playwright, a newer frontend
	@$(PYTHON) -m tests.browser.setup

clean: # forget what was built here; the environment stays in the cache
	rm -rf build
