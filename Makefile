# One command for each habit. Everything happens in .venv; nothing outside the checkout is touched.

PYTHON ?= python3
OUT ?= demo-output
SLICES ?= 120
STUDY ?=
OPTIONS ?=
SECONDS ?= 60
WORKERS ?= 2

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Models whose ONNX files are too large for git; their checkpoints are in export/checkpoints.
LARGE_MODELS := resnet_unet_pelvis

.PHONY: demo models test test-quick test-faults fuzz bench bench-compare lint format stubs serve \
    doctor clean

demo: .venv/.demo ## Phantoms of both kinds in, masks out; or STUDY=<folder or file>, with OPTIONS=<of segment>
ifeq ($(strip $(STUDY)),)
	@rm -rf $(OUT)/phantom $(OUT)/phantom_scan
	@$(BIN)/osteoserve phantom ct -o $(OUT)/phantom --slices $(SLICES) --labels
	@$(BIN)/osteoserve segment $(OUT)/phantom/dicom -o $(OUT)/result
	@$(BIN)/osteoserve phantom scintigraphy -o $(OUT)/phantom_scan --labels
	@$(BIN)/osteoserve segment $(OUT)/phantom_scan/dicom -o $(OUT)/scan
else
	@$(BIN)/osteoserve segment "$(STUDY)" -o $(OUT)/result $(OPTIONS)
endif

models: $(LARGE_MODELS:%=model_repository/%/config.pbtxt) ## Export the models that git does not hold

model_repository/%/config.pbtxt: export/checkpoints/%.safetensors export/checkpoints/%.toml | .venv/.export
	@rm -rf model_repository/$*
	@$(BIN)/osteoserve export --config export/checkpoints/$*.toml --weights $< \
	    --card export/checkpoints/$*.md --repository model_repository

# Folders are dealt out to WORKERS (tests/workers.py); what is to run alone comes after, and runs
# even where something failed before.
AT_ONCE := --numprocesses $(WORKERS) --no-loadscope-reorder

test: .venv/.test ## Every test
	@$(BIN)/python -m pytest $(AT_ONCE) -m "not alone"; before=$$?; \
	    $(BIN)/python -m pytest -m "alone" && exit $$before

test-quick: .venv/.test ## The tests that take no more than seconds each
	@$(BIN)/python -m pytest $(AT_ONCE) -m "not alone and not slow"; before=$$?; \
	    $(BIN)/python -m pytest -m "alone and not slow" && exit $$before

test-faults: .venv/.test ## Kills, floods and stalls of real processes, fifty times each: minutes
	@$(BIN)/python -m pytest tests/faults --faults
	@$(BIN)/python -m pytest tests/client/jobs tests/end_to_end/test_batch_command.py -k killed --faults

fuzz: .venv/.test ## Each target of tests/fuzz for SECONDS; what breaks a law is left in .fuzz/
	@for target in $(notdir $(wildcard tests/fuzz/corpus/*)); do \
	    $(BIN)/python -m tests.fuzz.harness $$target --seconds $(SECONDS) || exit 1; \
	done

bench: .venv/.test ## Time it all by pytest-benchmark, and save the run under .benchmarks
	@$(BIN)/python -m pytest benchmarks --benchmark-only --benchmark-autosave --benchmark-save-data

bench-compare: .venv/.test ## Time it again; fail where it is slower than the last saved run, beyond the noise
	@$(if $(wildcard .benchmarks/*/*.json),,echo "no run is saved: make bench"; exit 2)
	@$(BIN)/python -m pytest benchmarks --benchmark-only --benchmark-json=.benchmarks/compared.json
	@$(BIN)/osteoserve bench compare .benchmarks .benchmarks/compared.json

lint: .venv/.test ## Style, types and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: .venv/.test
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

stubs: .venv/.test ## Generate the gRPC stubs again after a change of the proto
	@cd preprocessing_service && ../$(BIN)/python -m grpc_tools.protoc -I . --python_out=. \
	    --grpc_python_out=. --pyi_out=. osteoserve_preprocessing/v1/preprocessing.proto

serve: .venv/.demo
	@$(BIN)/osteoserve serve

doctor: .venv/.demo
	@$(BIN)/osteoserve doctor

clean:
	rm -rf .venv $(OUT)

.venv/bin/python:
	@./bootstrap.sh $(PYTHON)

# What runs: client, service and embedded Triton. No torch.
.venv/.demo: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing into .venv (a minute or two, once)"
	@$(PIP) --editable '.[service]'
	@touch $@

# The export toolchain beside it, with torch.
.venv/.export: .venv/.demo
	@echo "Installing what exporting needs"
	@$(PIP) --editable '.[service,export]'
	@touch $@

# What the tests need beside it, torch for the export toolchain among it.
.venv/.test: .venv/.demo
	@echo "Installing what the tests need"
	@$(PIP) --editable '.[service,export,test,lint]'
	@touch $@
