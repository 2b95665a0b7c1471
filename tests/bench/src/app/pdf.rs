//! A PDF of pages full of text, set as typesetters set it: compressed pages, several fonts, letters moved by hundredths, no
//! spaces but gaps. In: how many pages, a seed. Out: the file.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Result;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::words::{Words, mix};

/// Characters of a page, and of a line.
const PAGE: usize = 3000;
const LINE: usize = 84;
const FONTS: [&str; 3] = ["Times-Roman", "Times-Italic", "Helvetica-Bold"];
/// Objects before the first page: catalog, page tree, fonts.
const BEFORE: usize = 2 + FONTS.len();

/// The file.
pub(super) fn pdf(pages: usize, seed: u64) -> Result<Bytes> {
    let mut words = Words::new(seed);
    let kids: Vec<String> =
        (0..pages).map(|page| format!("{} 0 R", BEFORE + 1 + 2 * page)).collect();
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        format!("<< /Type /Pages /Kids [{}] /Count {pages} >>", kids.join(" ")).into_bytes(),
    ];
    for font in FONTS {
        let text = format!(
            "<< /Type /Font /Subtype /Type1 /BaseFont /{font} /Encoding /WinAnsiEncoding >>"
        );
        objects.push(text.into_bytes());
    }
    for page in 0..pages {
        let fonts = "/F0 3 0 R /F1 4 0 R /F2 5 0 R";
        let text = format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << {fonts} >> >> /Contents {} 0 R >>",
            BEFORE + 2 + 2 * page
        );
        objects.push(text.into_bytes());
        objects.push(stream(&content(&mut words, page))?);
    }
    Ok(file(&objects))
}

fn stream(content: &str) -> Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content.as_bytes())?;
    let bytes = encoder.finish()?;
    let mut object =
        format!("<< /Length {} /Filter /FlateDecode >>\nstream\n", bytes.len()).into_bytes();
    object.extend(bytes);
    object.extend(b"\nendstream");
    Ok(object)
}

fn file(objects: &[Vec<u8>]) -> Bytes {
    let mut file = b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut index = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (number, object) in objects.iter().enumerate() {
        let _ = writeln!(index, "{:010} 00000 n ", file.len());
        file.extend(format!("{} 0 obj\n", number + 1).into_bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let at = file.len();
    let size = objects.len() + 1;
    let end = format!("{index}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{at}\n%%EOF\n");
    file.extend(end.into_bytes());
    file.into()
}

/// A heading, and lines of words.
fn content(words: &mut Words, page: usize) -> String {
    let text = words.text(PAGE);
    let mut out = format!("BT\n/F2 14 Tf\n1 0 0 1 56 800 Tm\n[{}] TJ\n", shown("Section", page));
    let (mut line, mut length, mut y) = (Vec::new(), 0, 776.0);
    for word in text.split(' ') {
        if length + word.len() > LINE {
            self::line(&mut out, &line, y);
            (length, y) = (0, y - 13.2);
            line.clear();
        }
        length += word.len() + 1;
        line.push(word);
    }
    self::line(&mut out, &line, y);
    out.push_str("ET\n");
    out
}

/// Words of a line; here and there one in italics.
fn line(out: &mut String, words: &[&str], y: f64) {
    let _ = writeln!(out, "/F0 10.5 Tf\n1 0 0 1 56 {y:.1} Tm");
    let mut run = String::new();
    for (number, word) in words.iter().enumerate() {
        let gap = if number > 0 { "-278 " } else { "" };
        if mix(word.len() as u64 + number as u64).is_multiple_of(17) {
            let shown = shown(word, number);
            let _ = writeln!(out, "[{run}] TJ\n/F1 10.5 Tf\n[{gap}{shown}] TJ\n/F0 10.5 Tf");
            run.clear();
        } else {
            run.push_str(gap);
            run.push_str(&shown(word, number));
        }
    }
    let _ = writeln!(out, "[{run}] TJ");
}

/// A word in pieces of a few letters, moved a little against each other.
fn shown(word: &str, salt: usize) -> String {
    let letters: Vec<char> = word.chars().collect();
    let mut out = String::new();
    for (number, piece) in letters.chunks(3).enumerate() {
        if number > 0 {
            let _ = write!(out, "{}", mix((salt + number) as u64) % 40);
        }
        let piece: String = piece.iter().collect();
        let _ = write!(out, "({piece})");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_app_reads_every_page_and_word_of_it() {
        let file = pdf(3, 1).unwrap();
        let mut texts = Vec::new();
        app::ingest::pdf::read(&file, 10, &mut |line| {
            if let app::ingest::wire::Line::Page { page: _, text } = line {
                texts.push(text);
            }
            std::ops::ControlFlow::Continue(())
        });
        assert_eq!(texts.len(), 3);
        let expected = Words::new(1).text(PAGE);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let (found, expected) = (words(&texts[0]), words(&expected));
        let kept = expected.iter().filter(|word| found.contains(word)).count();
        assert!(kept * 10 > expected.len() * 9, "{kept} of {}: {}", expected.len(), texts[0]);
    }
}
