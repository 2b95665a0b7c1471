//! From the bytes of a PDF to the text of its pages.
//!
//! In: untrusted bytes and a limit of pages. Out: lines, one after the other, as pages are read. lopdf judges the structure,
//! unpdf reads the text: lopdf's own text is useless on one ordinary file in four, without an error. This may take any amount
//! of memory or time, or crash: it runs in a process of its own ([`mod@super::extract`]) and nowhere else.

use std::{ops::ControlFlow, panic::catch_unwind};

use lopdf::{Document as Structure, LoadOptions};
use unpdf::{
    ErrorKind, ErrorMode, Page, PageSelection, PageStreamOptions, ParseEvent, ParseOptions,
    PdfParser,
};

use super::wire::{Line, Reason};

/// Bytes before the header that are forgiven, as viewers do.
const JUNK: usize = 1024;
/// Most bytes that one stream of the structure may grow to.
const STRUCTURE_BYTES: usize = 64 << 20;
/// Most bytes of one page's text.
const PAGE_BYTES: usize = 4 << 20;
/// A page with fewer letters than this has no text: a stamp or a page number is none.
const LETTERS: usize = 16;

/// Reads a PDF; whoever is told may stop it.
pub fn read(bytes: &[u8], max_pages: u32, tell: &mut dyn FnMut(Line) -> ControlFlow<()>) {
    let last = match read_pages(bytes, max_pages, tell) {
        Ok(textless) => Line::End { end: true, textless },
        Err(Stop::Failed(failure, detail)) => Line::Failure { failure, detail },
        Err(Stop::Told) => return,
    };
    // It is the last line: there is nothing to stop.
    let _ = tell(last);
}

enum Stop {
    Failed(Reason, String),
    Told,
}

fn failed<T>(reason: Reason, detail: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Failed(reason, detail.into()))
}

fn read_pages(
    bytes: &[u8],
    max_pages: u32,
    tell: &mut dyn FnMut(Line) -> ControlFlow<()>,
) -> Result<u32, Stop> {
    let Some(bytes) = from_header(bytes) else {
        return failed(Reason::NotPdf, "no %PDF- in the first 1,024 bytes");
    };
    let declared = declared(bytes);
    let parser = match PdfParser::from_bytes_with_options(bytes, ParseOptions::new().sequential()) {
        Ok(parser) => parser,
        Err(error) => return failed(reason(&error, &declared), format!("{:?}", error.kind())),
    };
    let pages = pages(bytes, &parser, &declared);
    if pages == 0 {
        return failed(Reason::Empty, "no pages");
    }
    if pages > max_pages {
        return failed(Reason::TooManyPages, format!("{pages} pages"));
    }
    if tell(Line::Pages { pages }).is_break() {
        return Err(Stop::Told);
    }
    let mut texts = Texts::new(tell);
    let streamed = parser.for_each_page(options(), |event| texts.take(event));
    match (texts.stop, streamed) {
        (Some(stop), _) => return Err(stop),
        (None, Err(error)) => return failed(Reason::Damaged, format!("{:?}", error.kind())),
        (None, Ok(_)) => {}
    }
    let missing = pages.saturating_sub(texts.read + texts.broken);
    if texts.with_text > 0 {
        Ok(pages.saturating_sub(texts.with_text))
    } else if texts.broken > 0 || missing > 0 {
        failed(
            Reason::Damaged,
            format!("{} of {pages} pages cannot be read", texts.broken + missing),
        )
    } else {
        failed(Reason::NoText, format!("{pages} pages without text"))
    }
}

/// The PDF without what stands before it.
fn from_header(bytes: &[u8]) -> Option<&[u8]> {
    let head = &bytes[..bytes.len().min(JUNK + 5)];
    head.windows(5).position(|window| window == b"%PDF-").map(|start| &bytes[start..])
}

/// What the file says of itself, at little cost.
#[derive(Default)]
struct Declared {
    pages: Option<u32>,
    encrypted: bool,
}

fn declared(bytes: &[u8]) -> Declared {
    match catch_unwind(|| Structure::load_metadata_mem(bytes)) {
        Ok(Ok(metadata)) => {
            Declared { pages: Some(metadata.page_count), encrypted: metadata.encrypted }
        }
        Ok(Err(_)) | Err(_) => Declared::default(),
    }
}

/// How many pages there are. Where the file's own count and the pages found differ, the whole structure is walked once more
/// by the other library: a page that one of them lost is told as a page without text, and not passed over.
fn pages(bytes: &[u8], parser: &PdfParser, declared: &Declared) -> u32 {
    let found = parser.page_count();
    if declared.pages == Some(found) {
        return found;
    }
    let options = LoadOptions::with_max_decompressed_size(STRUCTURE_BYTES);
    let walked = catch_unwind(|| Structure::load_mem_with_options(bytes, options));
    let walked = match walked {
        Ok(Ok(structure)) => u32::try_from(structure.page_iter().count()).unwrap_or(u32::MAX),
        Ok(Err(_)) | Err(_) => 0,
    };
    found.max(walked)
}

fn reason(error: &unpdf::Error, declared: &Declared) -> Reason {
    match error.kind() {
        ErrorKind::Encrypted | ErrorKind::InvalidPassword => Reason::Encrypted,
        // An unknown way of locking is a locked file all the same.
        _ if declared.encrypted => Reason::Encrypted,
        _ => Reason::Damaged,
    }
}

fn options() -> PageStreamOptions {
    // In full, because the library's default starts a thread for each core.
    PageStreamOptions {
        error_mode: ErrorMode::Lenient,
        extract_text: true,
        extract_resources: false,
        min_image_dimension: 64,
        pages: PageSelection::All,
        password: None,
        parallel: false,
        suppress_low_confidence_ocr: true,
        window_size: 1,
        emit_progress_every: u32::MAX,
    }
}

/// Passes on the pages' texts and counts them.
struct Texts<'a> {
    tell: &'a mut dyn FnMut(Line) -> ControlFlow<()>,
    read: u32,
    broken: u32,
    with_text: u32,
    stop: Option<Stop>,
}

impl<'a> Texts<'a> {
    fn new(tell: &'a mut dyn FnMut(Line) -> ControlFlow<()>) -> Self {
        Self { tell, read: 0, broken: 0, with_text: 0, stop: None }
    }

    fn take(&mut self, event: ParseEvent) -> ControlFlow<()> {
        match event {
            ParseEvent::PageParsed(page) => self.page(&page),
            ParseEvent::PageFailed { page, error: _ } => {
                self.broken += 1;
                self.pass_on(page, String::new())
            }
            ParseEvent::DocumentStart { .. }
            | ParseEvent::Progress { .. }
            | ParseEvent::DocumentEnd { .. } => ControlFlow::Continue(()),
        }
    }

    fn page(&mut self, page: &Page) -> ControlFlow<()> {
        let text = text(page);
        let letters = text.chars().filter(|letter| !letter.is_whitespace()).take(LETTERS).count();
        if letters >= LETTERS {
            self.with_text += 1;
        }
        if letters < LETTERS && page.undecodable_content_streams > 0 {
            self.broken += 1;
        } else {
            self.read += 1;
        }
        if text.len() > PAGE_BYTES {
            let detail = format!("page {} has {} bytes of text", page.number, text.len());
            self.stop = Some(Stop::Failed(Reason::TooComplex, detail));
            return ControlFlow::Break(());
        }
        self.pass_on(page.number, text)
    }

    fn pass_on(&mut self, page: u32, text: String) -> ControlFlow<()> {
        let flow = (self.tell)(Line::Page { page, text });
        if flow.is_break() {
            self.stop = Some(Stop::Told);
        }
        flow
    }
}

/// The page's paragraphs as they are. The library's own cleaning compiles its expressions anew for every page, which takes
/// longer than reading it; [`super::clean`] does what is needed.
fn text(page: &Page) -> String {
    let mut text = String::new();
    for element in &page.elements {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        element.append_plain_text(&mut text);
    }
    text
}
