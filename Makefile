# Each goal does all of its own set-up; see tools/env.sh for PYTHON= and TORCH_INDEX=.
# ARGS are handed on:  make book ARGS="--only knn"   make test ARGS="-k rank"
ARGS ?=
export PYTHON TORCH_INDEX

.PHONY: help book lab test lint env clean
.DEFAULT_GOAL := help

help:
	@echo "make book    build the book; ends with the path of its first page"
	@echo "make lab     open the chapters in JupyterLab (installs it the first time)"
	@echo "make test    run every test"
	@echo "make lint    check style and formatting"
	@echo "make env     make .venv and install everything (the others do this too)"
	@echo "make clean   remove what was built here; .venv and the cache of audio stay"

book: env
	@.venv/bin/dasheng book $(ARGS)

lab:
	@tools/env.sh lab
	@.venv/bin/jupyter lab book/ $(ARGS)

test: env
	@.venv/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: env
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/codespell

env:
	@tools/env.sh

clean:
	rm -rf _build .pytest_cache .ruff_cache .hypothesis
