# make demo   everything it takes, then the gateway over a small ERP with a tour of calls   (ARGS=--once: run the tour and exit)
# make test   everything it takes, then all checks and tests
# make chaos  the gateway killed again and again, over SQLite and PostgreSQL: is anything lost or done twice?   (ARGS="--kills 500")
# make fuzz   random SOAP contracts and documents through the codec, at most 20 minutes (ARGS=--seed=N: a run again)
# make interop   real SOAP servers called through the gateway, and real SOAP clients calling its facade; installs both
# make differ    100,000 random policy decisions beside stock Casbin's   (ARGS="--seed 2")
# make setup  the virtual environment with the erp-gateway command

PYTHON ?= python3
BIN := .venv/bin
RUNTIME := .venv/.runtime
DEV := .venv/.dev
# Packages without I/O: measured by coverage, which doubles the time of what it watches, and so apart from the others.
PURE := tests/approvals tests/mapping tests/policy tests/protocols tests/scope

.PHONY: demo test chaos check setup bench fuzz interop differ lock clean

demo: $(RUNTIME)
	$(BIN)/erp-gateway demo $(ARGS)

test: $(DEV) check
	sh tools/services.sh redis-server postgresql curl strace chromium npm xmlsec1
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-branch --cov-report= $(PURE) $(ARGS)
	$(BIN)/coverage report --fail-under=95
	$(BIN)/python -m pytest -n 3 --dist loadfile $(PURE:%=--ignore=%) $(ARGS)  # these wait for processes as much as they work

chaos: $(DEV)
	sh tools/services.sh postgresql
	$(BIN)/python -m tests.chaos $(ARGS)

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/python -m tools.reference --check

setup: $(RUNTIME)

bench: $(DEV)
	$(BIN)/python -m bench.soap_codec
	$(BIN)/python -m bench.soap_contract
	$(BIN)/python -m bench.edge
	$(BIN)/python -m bench.documents
	$(BIN)/python -m bench.policy

fuzz: $(DEV)
	$(BIN)/python -m tests.fuzz --minutes 20 --schemas 5000 $(ARGS)

interop: $(DEV)
	$(BIN)/python -m tests.interop $(ARGS)

differ: $(DEV)
	$(BIN)/python -m tests.policy $(ARGS)

lock: $(DEV)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --group dev pyproject.toml -o requirements-dev.lock

$(RUNTIME): requirements.lock pyproject.toml
	PYTHON=$(PYTHON) sh tools/venv.sh requirements.lock
	touch $@

$(DEV): requirements-dev.lock $(RUNTIME)
	PYTHON=$(PYTHON) sh tools/venv.sh requirements-dev.lock
	touch $@

clean:
	rm -rf .venv build dist var *.egg-info
