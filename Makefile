# Everything a contributor runs. `make demo` and `make test` set a bare Debian 12 machine up first.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-models soak test-editors screenshots vsix check static bench bench-gpu agreement mutation lock stop clean

PY := .venv/bin/python
export PYTHON

help: ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: ## mend a random bug of a small real project, live (SEED=n repeats one)
	@setup/install.sh python docker
	@$(PY) -m ocils demo $(if $(SEED),--seed $(SEED))

test: ## install what is missing and run everything: lint, types, import rules, all tests
	@setup/install.sh python docker nvim nvim-new node
	@$(MAKE) --no-print-directory static
	@OCILS_REQUIRE=docker,model,node,nvim,registry $(PY) -m pytest $(ARGS)

test-models: ## convert a small model of every architecture and compare it with transformers (3 minutes)
	@setup/install.sh python convert
	@OCILS_REQUIRE=convert .tools/convert/bin/python -m pytest $(or $(ARGS),tests/conversion)

test-editors: ## drive the real editors: VS Code in a browser, Neovim (ARGS=tests/editors for VS Code alone)
	@setup/install.sh python docker nvim nvim-new vscode
	@OCILS_REQUIRE=docker,model,nvim,nvim_new,vscode $(PY) -m pytest \
		$(or $(ARGS),tests/editors tests/e2e/neovim)

vsix: ## build editors/vscode/dist/ocils.vsix, with the wheel of ocils and the bundled model in it
	@setup/install.sh python vscode
	@editors/vscode/package

screenshots: ## take the pictures of the READMEs from the real editors, light and dark
	@setup/install.sh python docker vscode
	@OCILS_SCREENSHOTS=1 OCILS_REQUIRE=docker,model,vscode $(PY) -m pytest tests/editors/test_screenshots.py $(ARGS)

check: ## the same with what this machine has: tests that lack something are skipped, with a reason
	@setup/install.sh python
	@$(MAKE) --no-print-directory static
	@$(PY) -m pytest $(ARGS)

static:
	@$(PY) -m ruff check --quiet
	@$(PY) -m ruff format --check --quiet
	@$(PY) -m mypy --no-error-summary
	@mkdir -p .cache && .venv/bin/lint-imports --no-logo >.cache/lint-imports.log 2>&1 \
		|| { cat .cache/lint-imports.log; exit 1; }

bench: ## measure: one JSON object a line (ONLY=name for one of them)
	@setup/install.sh python docker >&2
	@$(PY) -m ocils bench figures $(if $(ONLY),--only $(ONLY))

bench-gpu: ## measure models of true shapes on a GPU, ten minutes at a time (DEVICE=cpu, RIVAL=a python with torch)
	@setup/install.sh python >&2
	@$(PY) -m ocils bench speeds --device $(or $(DEVICE),cuda) --journal $(or $(JOURNAL),bench-gpu.jsonl) \
		$(if $(RIVAL),--rival $(RIVAL)) $(ARGS)

agreement: ## compare warm verdicts with plain runs on real projects (hours; resumes; ONLY=name)
	@setup/install.sh python docker >&2
	@$(PY) -m ocils bench agreement $(if $(ONLY),--only $(ONLY),--report tests/bench/agreement.md)

mutation: ## put mistakes into what must not make any, delete its guards: a test must notice (hours; ONLY=path)
	@setup/install.sh python docker >&2
	@$(PY) -m tests.mutation $(ONLY)
	@$(if $(ONLY),,$(PY) -m tests.mutation --guards)

soak: ## judge 500 candidates while all that can be killed is killed (N=500); 10,000 random edits
	@setup/install.sh python docker >&2
	@$(PY) -m tests.sandbox.soak $(or $(N),500)
	@OCILS_EDITS=10000 OCILS_SEED=$$(date +%s) $(PY) -m pytest -q tests/server/test_stress.py

lock: ## bring requirements.lock up to date with pyproject.toml
	@setup/install.sh python
	@test -x .tools/bin/uv || { $(PY) -m venv .tools && .tools/bin/python -m pip install --quiet uv; }
	@.tools/bin/uv pip compile pyproject.toml --universal --generate-hashes --group dev --upgrade \
		--quiet --no-header --output-file requirements.lock

stop: ## end the Docker engine that the set-up started
	@setup/install.sh stop

clean: stop ## remove what make made, but for the machine's packages
	@rm -rf .venv .tools .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build \
		editors/vscode/node_modules editors/vscode/dist editors/vscode/bundled
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
