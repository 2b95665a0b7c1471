# Each line calls a tool; what they do is in tests/stack.
STACK = cargo run --package stack --

.PHONY: demo test bench eval ci generate
demo: ## The main job, told aloud; ONCE=1 ends it after the walk.
	@$(STACK) demo
test: ## Every test, unattended; the last line counts them.
	@$(STACK) test
bench: ## Measurements of a release build.
	@$(STACK) bench
ci: ## Lints, licences, generated files, tests: what must pass before a merge.
	@$(STACK) ci
generate: ## Files that are generated from the code.
	@mkdir -p target && cargo run --quiet --package crds --bin crdgen > target/vectortenants.yaml && mv target/vectortenants.yaml crds/
eval: ## The quality of retrieval, measured; writes the table of docs/retrieval.md.
	@cargo build --quiet --bins -p app -p operator -p neon-emulator
	@EVAL_WRITE=1 cargo test --quiet -p acceptance --test acceptance app::retrieval -- --nocapture
