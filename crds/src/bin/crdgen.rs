//! Prints what is generated from the `VectorTenant` definition: `crdgen` the YAML, `crdgen reference` its description for people.
//! `make generate` writes them to `crds/vectortenants.yaml` and `docs/api.md`.

#![expect(clippy::print_stdout, reason = "printing is what this program does")]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1).as_deref() {
        None => print!("{}", crds::yaml()?),
        Some("reference") => print!("{}", crds::reference()),
        Some(other) => return Err(format!("{other} is not known: `reference`, or nothing").into()),
    }
    Ok(())
}
