//! A folder as Flux downloads it. In: paths and texts. Out: a tar.gz of plain files, the same for the same input.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Result, ensure};
use flate2::{Compression, write::GzEncoder};

const BLOCK: usize = 512;

/// The files as one archive.
pub(super) fn tar_gz(files: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    for (path, text) in files {
        packed.write_all(&header(path, text.len())?)?;
        packed.write_all(text.as_bytes())?;
        packed.write_all(&vec![0; text.len().next_multiple_of(BLOCK) - text.len()])?;
    }
    packed.write_all(&[0; 2 * BLOCK])?;
    Ok(packed.finish()?)
}

/// The ustar header of a plain file: name, rights, size, checksum, kind, magic.
fn header(path: &str, size: usize) -> Result<[u8; BLOCK]> {
    ensure!(path.len() < 100, "the path is too long: {path}");
    let mut header = [0; BLOCK];
    let mut put =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, path);
    put(100, "0000644\0");
    put(124, &format!("{size:011o}\0"));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(header)
}
