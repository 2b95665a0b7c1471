//! Rebuilds when a tenant migration is added: the macro that embeds them does not notice a new file by itself.

fn main() {
    println!("cargo::rerun-if-changed=../tenant_migrations");
}
