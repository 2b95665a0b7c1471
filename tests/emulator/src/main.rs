//! The process: reads the flags, starts the emulator, prints the one line that says where it serves.
//! In: command line. Out: one JSON line on stdout, logs on stderr. All behaviour lives in the library.

use clap::Parser as _;
use neon_emulator::Args;

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "info,sqlx=warn".into()),
        )
        .init();
    let args = Args::parse();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(neon_emulator::run(args))
}
