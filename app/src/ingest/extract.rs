//! `tenantry-app extract`: the child process that reads one PDF.
//!
//! In: a PDF on standard input. Out: lines of JSON ([`super::wire`]) on standard output, as pages are read. Before the first
//! byte it takes from itself what it does not need: memory beyond its share, files, core dumps, a life longer than its
//! parent's. Whatever then happens here is one failed document.

use std::{
    io::{self, Read, Write},
    ops::ControlFlow,
    panic,
};

use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};

use super::{
    pdf,
    wire::{Line, Reason},
};
use crate::args::ExtractArgs;

/// Page trees, forms and fonts nest; a stack of this size lets ordinary ones.
const STACK: u64 = 32 << 20;
/// Standard streams, and a few to spare.
const FILES: u64 = 8;
/// The last resort where nobody watches the clock: seconds of processor time. The parent's limit is far below.
const CPU_SECONDS: u64 = 3600;
/// Pages of a document are read when nobody waits for an answer.
const NICE: i32 = 10;

/// Exit codes: a last line was written; it could not be; this process could not be made safe.
const TOLD: u8 = 0;
const UNHEARD: u8 = 2;
const UNSAFE: u8 = 3;

/// Reads a PDF from standard input; answers the exit code.
#[must_use]
pub fn extract(args: &ExtractArgs) -> u8 {
    // The default writes the message, which may quote the document, to the log.
    panic::set_hook(Box::new(|_| {}));
    if confine(args.megabytes).is_err() {
        return UNSAFE;
    }
    // On this thread: another one would have a heap of its own, whose reserve counts as memory.
    let read = panic::catch_unwind(|| read_and_tell(args.max_pages)).unwrap_or_else(|_panic| {
        let detail = "the reader panicked".to_owned();
        write(&Line::Failure { failure: Reason::Damaged, detail })
    });
    match read {
        Ok(()) => TOLD,
        Err(_) => UNHEARD,
    }
}

fn confine(megabytes: u32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let limits = [
        (Resource::As, u64::from(megabytes) << 20),
        (Resource::Cpu, CPU_SECONDS),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, FILES),
    ];
    for (resource, most) in limits {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    // Where it may not grow, the usual size has to do.
    let _ = setrlimit(Resource::Stack, Rlimit { current: Some(STACK), maximum: Some(STACK) });
    // Refused where a process may not become any nicer: it works all the same.
    let _ = nice(NICE);
    Ok(())
}

fn read_and_tell(max_pages: u32) -> io::Result<()> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let mut written = Ok(());
    pdf::read(&bytes, max_pages, &mut |line| {
        written = write(&line);
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    written
}

fn write(line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&text)?;
    out.flush()
}
