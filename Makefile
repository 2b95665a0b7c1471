# Each line calls a tool; what they do is in tests/stack.
STACK = cargo run --package stack --

.PHONY: demo test e2e-pods bench eval ci generate images release
demo: ## The main job, told aloud; ONCE=1 ends it after the walk.
	@$(STACK) demo
test: ## Every test, unattended; the last line counts them.
	@$(STACK) test
e2e-pods: ## The whole product as pods on a real node, by its images and chart.
	@$(STACK) e2e-pods
bench: ## Measurements of a release build.
	@$(STACK) bench
ci: ## Lints, licences, generated files, tests: what must pass before a merge.
	@$(STACK) ci
generate: ## Files that are generated from the code.
	@$(STACK) generate
images: ## The container images, built with whatever is here, checked, with what is in them; into target/images.
	@$(STACK) images
release: ## Chart, images, CRD, lists of what is in them and checksums; into dist.
	@$(STACK) release
eval: ## The quality of retrieval, measured; writes the table of docs/retrieval.md.
	@cargo build --quiet --bins -p app -p operator -p neon-emulator
	@EVAL_WRITE=1 cargo test --quiet -p acceptance --test acceptance app::retrieval -- --nocapture
