# Everything runs in .venv, which the first target makes: python 3.11 or newer and make are all that is needed.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test lint check docs bench speed lock

demo: $(READY)  ## a first result in minutes: vssl-demo/run/report.html
	$(BIN)/vssl demo --out vssl-demo --overwrite

test: $(READY)  ## all tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile  # one thread each: on small tensors more cost more; a file's fixtures once

lint: $(READY)  ## format, lint, types, import rules
	$(BIN)/ruff format --check src tests benchmarks docs
	$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint  ## before a commit: lint, and the fast tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile -m "not slow"

docs: $(READY)  ## write the reference pages and the tables of the benchmarks anew
	$(BIN)/python docs/reference/make.py
	$(BIN)/python -m benchmarks.tables

bench: $(READY)  ## a short comparison on 1,797 real digits: six methods, a minute of training each
	$(BIN)/python -m benchmarks.data.digits vssl-bench/digits
	$(BIN)/vssl bench vssl-bench/digits --out vssl-bench --label-from folder --views upright --encoder convnet/tiny \
		--seeds 0 --minutes 1 --methods vssl vssl/paper simclr byol vae supcon

speed: $(READY)  ## speed beside lightly: make speed DATA=cifar10-jpeg.tar.xz; see benchmarks/README.md
	@test -n "$(DATA)" || { echo "Name the images to train on: make speed DATA=cifar10-jpeg.tar.xz"; exit 2; }
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -r benchmarks/requirements.txt
	$(BIN)/python -m benchmarks.speed.images $(DATA)

lock:  ## renew requirements.lock
	$(BIN)/uv pip compile --quiet --universal --no-annotate --no-header --extra onnx --extra serve --extra timm --group dev \
		pyproject.toml -o requirements.lock

$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	touch $(READY)
