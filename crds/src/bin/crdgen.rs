//! Prints the `VectorTenant` definition as YAML: `make generate` writes it to `crds/vectortenants.yaml`.

#![expect(clippy::print_stdout, reason = "printing is what this program does")]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    print!("{}", crds::yaml()?);
    Ok(())
}
