//! PDFs of many kinds, good, odd and bad, made here byte for byte, with what must become of each.
//!
//! In: nothing. Out: a table that any test can use. Files that exist nowhere else need no licence and no download.

use lopdf::{
    Dictionary, Document, EncryptionState, EncryptionVersion, IncrementalDocument, Object,
    ObjectId, Permissions, Stream, dictionary,
};

/// A file and what must become of it.
pub(crate) struct Sample {
    /// What it is.
    pub(crate) name: &'static str,
    /// The file.
    pub(crate) bytes: Vec<u8>,
    /// What must become of it.
    pub(crate) outcome: Outcome,
}

/// What must become of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is read.
    Read {
        /// Number of its pages.
        pages: u32,
        /// Those without text.
        textless: u32,
        /// What is in its text.
        holds: &'static str,
    },
    /// It cannot be used, for one of these reasons.
    Fails(&'static [&'static str]),
}

use Outcome::{Fails, Read};

/// Most pages that the samples' outcomes are for.
pub(crate) const MAX_PAGES: u32 = 500;

const TEXT: &str = "The quick brown fox jumps over the lazy dog.";

/// All samples.
pub(crate) fn samples() -> Vec<Sample> {
    let mut all = good();
    all.extend(odd());
    all.extend(unusable());
    all.extend(damaged());
    all.extend(hostile());
    all
}

fn sample(name: &'static str, bytes: Vec<u8>, outcome: Outcome) -> Sample {
    Sample { name, bytes, outcome }
}

fn read(pages: u32, textless: u32, holds: &'static str) -> Outcome {
    Read { pages, textless, holds }
}

/// A PDF with a line of text on each page.
pub(crate) fn plain(lines: &[&str]) -> Vec<u8> {
    save(written(lines))
}

fn good() -> Vec<Sample> {
    let columns = [
        text_at(60, 700, "Left column begins here and"),
        text_at(60, 680, "goes on below itself."),
        text_at(320, 700, "Right column comes second"),
        text_at(320, 680, "and ends the page."),
    ];
    let mut owner_only = written(&[TEXT]);
    lock(&mut owner_only, "");
    vec![
        sample("plain", plain(&[TEXT]), read(1, 0, "quick brown fox")),
        sample(
            "three pages",
            plain(&[TEXT, "Second page of this file.", TEXT]),
            read(3, 0, "Second page"),
        ),
        sample("500 pages", plain(&[TEXT; 500]), read(500, 0, "lazy dog")),
        sample("two columns", save(pdf(&[columns.concat()])), read(1, 0, "goes on below itself")),
        sample("some pages without text", plain(&[TEXT, "", "7", TEXT]), read(4, 2, "quick")),
        sample("an owner's password only", save(owner_only), read(1, 0, "quick brown fox")),
        sample("Chinese", save(chinese()), read(1, 0, "数据库")),
        sample("updated in place", updated(), read(1, 0, "Another text")),
    ]
}

fn odd() -> Vec<Sample> {
    let mut junk = b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n".to_vec();
    junk.extend(plain(&[TEXT]));
    let mut trailing = plain(&[TEXT]);
    trailing.extend([0; 5000]);
    let nul = format!("{TEXT}\\000\\000 and \\001 more");
    let long = "many words in one line ".repeat(40_000);
    vec![
        sample("junk before the header", junk, read(1, 0, "quick brown fox")),
        sample("junk after the end", trailing, read(1, 0, "quick brown fox")),
        sample(
            "control characters",
            save(pdf(&[text_at(50, 700, &nul)])),
            read(1, 0, "quick brown fox"),
        ),
        sample("a line of a million letters", plain(&[&long]), read(1, 0, "many words")),
        sample("scripts and launches", save(active()), read(1, 0, "quick brown fox")),
        sample("a count too small", save(counted(1)), read(3, 0, "quick")),
        sample("a count too large", save(counted(1_000_000)), read(3, 0, "quick")),
        sample("a form that holds itself", save(recursive_form()), read(1, 0, "quick brown fox")),
        sample("a font that is not there", save(fontless()), read(1, 0, "quick brown fox")),
    ]
}

fn unusable() -> Vec<Sample> {
    let mut late = vec![b' '; 2000];
    late.extend(plain(&[TEXT]));
    let mut locked = written(&[TEXT]);
    lock(&mut locked, "secret");
    let mut locked_weakly = written(&[TEXT]);
    lock_weakly(&mut locked_weakly);
    vec![
        sample("nothing", Vec::new(), Fails(&["not_pdf"])),
        sample("a text", b"Dear reader, this is no PDF.".to_vec(), Fails(&["not_pdf"])),
        sample(
            "a page of HTML",
            b"<!doctype html><title>%PDF</title>".to_vec(),
            Fails(&["not_pdf"]),
        ),
        sample(
            "an archive",
            b"PK\x03\x04\x14\x00word/document.xml".repeat(50),
            Fails(&["not_pdf"]),
        ),
        sample("a picture", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR".to_vec(), Fails(&["not_pdf"])),
        sample("a header too late", late, Fails(&["not_pdf"])),
        sample("a password, AES-256", save(locked), Fails(&["encrypted"])),
        sample("a password, RC4", save(locked_weakly), Fails(&["encrypted"])),
        sample("no pages", plain(&[]), Fails(&["empty"])),
        sample("an empty page", plain(&[""]), Fails(&["no_text"])),
        sample("a scan", save(scan("")), Fails(&["no_text"])),
        sample("a scan with a stamp", save(scan("PAID")), Fails(&["no_text"])),
        sample("501 pages", plain(&[TEXT; 501]), Fails(&["too_many_pages"])),
    ]
}

fn damaged() -> Vec<Sample> {
    let whole = plain(&[TEXT, TEXT, TEXT]);
    let part = |tenths: usize| whole[..whole.len() * tenths / 10].to_vec();
    let replaced = |from: &str, to: &str| replace(&whole, from, to);
    let garbage: Vec<u8> =
        (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut garbled = b"%PDF-1.7\n".to_vec();
    garbled.extend(&garbage);
    vec![
        sample("a header alone", b"%PDF-1.7\n".to_vec(), Fails(&["damaged", "empty"])),
        sample("a header and noise", garbled, Fails(&["damaged", "empty"])),
        sample("the end cut off", part(9), read(3, 0, "quick brown fox")),
        sample("two thirds cut off", part(3), Fails(&["damaged", "empty", "no_text"])),
        sample(
            "startxref wrong",
            replaced("startxref\n", "startxref\n9"),
            read(3, 0, "quick brown fox"),
        ),
        sample(
            "offsets wrong",
            replaced("%PDF-1.5\n", "%PDF-1.5\n%%%%%%%\n"),
            read(3, 0, "quick brown fox"),
        ),
        sample("the catalog lost", replaced("/Catalog", "/Nothing"), read(3, 0, "quick brown fox")),
        sample("content that is noise", save(noise(&garbage)), Fails(&["damaged", "no_text"])),
    ]
}

fn hostile() -> Vec<Sample> {
    vec![
        sample("a bomb", save(bomb()), Fails(&["too_complex", "damaged"])),
        sample(
            "arrays in arrays",
            save(nested()),
            Fails(&["too_complex", "damaged", "no_text", "empty"]),
        ),
        sample(
            "a page tree without end",
            save(circle()),
            Fails(&["empty", "damaged", "too_complex"]),
        ),
        sample("a page tree 20,000 deep", save(deep_tree()), read(1, 0, "quick brown fox")),
    ]
}

fn text_at(x: i32, y: i32, text: &str) -> String {
    format!("BT /F1 12 Tf {x} {y} Td ({text}) Tj ET\n")
}

fn written(lines: &[&str]) -> Document {
    pdf(&lines.iter().map(|line| text_at(50, 700, line)).collect::<Vec<_>>())
}

/// A PDF with these contents of pages.
fn pdf(contents: &[String]) -> Document {
    let mut document = Document::with_version("1.5");
    let pages = document.new_object_id();
    let kids: Vec<Object> = contents
        .iter()
        .map(|content| page(&mut document, pages, content.as_bytes()).into())
        .collect();
    finish(&mut document, pages, kids);
    document
}

fn page(document: &mut Document, parent: ObjectId, content: &[u8]) -> ObjectId {
    let content = document.add_object(Stream::new(Dictionary::new(), content.to_vec()));
    let box_ = [0, 0, 595, 842].map(Object::from).to_vec();
    document.add_object(dictionary! {
        "Type" => "Page", "Parent" => parent, "Contents" => content, "MediaBox" => box_,
    })
}

fn finish(document: &mut Document, pages: ObjectId, kids: Vec<Object>) {
    let font = document.add_object(dictionary! {
        "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica", "Encoding" => "WinAnsiEncoding",
    });
    let count = i64::try_from(kids.len()).unwrap();
    let tree = dictionary! {
        "Type" => "Pages", "Kids" => kids, "Count" => count,
        "Resources" => dictionary! { "Font" => dictionary! { "F1" => font } },
    };
    document.set_object(pages, tree);
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => pages });
    document.trailer.set("Root", catalog);
    let id = Object::string_literal("0123456789abcdef");
    document.trailer.set("ID", vec![id.clone(), id]);
}

fn save(mut document: Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

fn replace(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
}

/// The dictionary of the page tree's root.
fn tree(document: &mut Document) -> &mut Dictionary {
    let pages = document.catalog().unwrap().get(b"Pages").unwrap().as_reference().unwrap();
    document.get_dictionary_mut(pages).unwrap()
}

fn lock(document: &mut Document, password: &str) {
    let aes = std::sync::Arc::new(lopdf::encryption::crypt_filters::Aes256CryptFilter);
    let filters: std::collections::BTreeMap<
        Vec<u8>,
        std::sync::Arc<dyn lopdf::encryption::crypt_filters::CryptFilter>,
    > = [(b"StdCF".to_vec(), aes as _)].into();
    let state = EncryptionState::try_from(EncryptionVersion::V5 {
        encrypt_metadata: true,
        crypt_filters: filters,
        file_encryption_key: &[7; 32],
        stream_filter: b"StdCF".to_vec(),
        string_filter: b"StdCF".to_vec(),
        owner_password: "owner",
        user_password: password,
        permissions: Permissions::all(),
    });
    document.encrypt(&state.unwrap()).unwrap();
}

fn lock_weakly(document: &mut Document) {
    let state = EncryptionState::try_from(EncryptionVersion::V2 {
        document,
        owner_password: "owner",
        user_password: "user",
        key_length: 128,
        permissions: Permissions::all(),
    });
    document.encrypt(&state.unwrap()).unwrap();
}

/// Letters by number, with the table that says which they are.
fn chinese() -> Document {
    let mut document =
        pdf(&[format!("BT /F2 12 Tf 50 700 Td <{}> Tj ET", "000100020003".repeat(8))]);
    let table = "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /T def /CMapType 2 def\n\
        1 begincodespacerange <0000> <ffff> endcodespacerange\n\
        3 beginbfchar <0001> <6570> <0002> <636e> <0003> <5e93> endbfchar\n\
        endcmap CMapName currentdict /CMap defineresource pop end end";
    let table = document.add_object(Stream::new(Dictionary::new(), table.as_bytes().to_vec()));
    let info = dictionary! {
        "Registry" => Object::string_literal("Adobe"), "Ordering" => Object::string_literal("Identity"), "Supplement" => 0,
    };
    let letters = document.add_object(dictionary! {
        "Type" => "Font", "Subtype" => "CIDFontType2", "BaseFont" => "Song", "CIDSystemInfo" => info, "DW" => 1000,
    });
    let font = document.add_object(dictionary! {
        "Type" => "Font", "Subtype" => "Type0", "BaseFont" => "Song", "Encoding" => "Identity-H",
        "DescendantFonts" => vec![letters.into()], "ToUnicode" => table,
    });
    tree(&mut document).set("Resources", dictionary! { "Font" => dictionary! { "F2" => font } });
    document
}

/// A file to whose end another version of a page's content was added.
fn updated() -> Vec<u8> {
    let old = written(&[TEXT]);
    let page = old.page_iter().next().unwrap();
    let content = old.get_page_contents(page)[0];
    let bytes = save(old);
    let mut updated =
        IncrementalDocument::create_from(bytes.clone(), Document::load_mem(&bytes).unwrap());
    let text = text_at(50, 700, "Another text that replaces the first.");
    updated.new_document.set_object(content, Stream::new(Dictionary::new(), text.into_bytes()));
    let mut bytes = Vec::new();
    updated.save_to(&mut bytes).unwrap();
    bytes
}

fn scan(stamp: &str) -> Document {
    let content = format!("q 595 0 0 842 0 0 cm /Im1 Do Q {}", text_at(300, 400, stamp));
    let mut document = pdf(&[content.clone(), content]);
    let picture = dictionary! {
        "Type" => "XObject", "Subtype" => "Image", "Width" => 64, "Height" => 64, "ColorSpace" => "DeviceGray",
        "BitsPerComponent" => 8,
    };
    let picture = document.add_object(Stream::new(picture, vec![128; 64 * 64]));
    let resources = tree(&mut document).get_mut(b"Resources").unwrap().as_dict_mut().unwrap();
    resources.set("XObject", dictionary! { "Im1" => picture });
    document
}

fn active() -> Document {
    let mut document = written(&[TEXT]);
    let script = dictionary! { "S" => "JavaScript", "JS" => Object::string_literal("app.alert(1); this.exportDataObject({});") };
    let launch = dictionary! { "S" => "Launch", "F" => Object::string_literal("/bin/sh") };
    let file =
        document.add_object(Stream::new(dictionary! { "Type" => "EmbeddedFile" }, b"MZ".to_vec()));
    let catalog = document.catalog_mut().unwrap();
    catalog.set("OpenAction", script);
    catalog.set("AA", dictionary! { "WC" => launch });
    catalog.set("Names", dictionary! { "EmbeddedFiles" => dictionary! { "Names" => vec![Object::string_literal("a.exe"), file.into()] } });
    document
}

fn counted(count: i64) -> Document {
    let mut document = written(&[TEXT, TEXT, TEXT]);
    tree(&mut document).set("Count", count);
    document
}

fn recursive_form() -> Document {
    let mut document = pdf(&[format!("{} /Fm Do", text_at(50, 700, TEXT))]);
    let form = document.new_object_id();
    let own = dictionary! { "XObject" => dictionary! { "Fm" => form } };
    let box_ = [0, 0, 595, 842].map(Object::from).to_vec();
    let header = dictionary! { "Type" => "XObject", "Subtype" => "Form", "BBox" => box_, "Resources" => own };
    document.set_object(form, Stream::new(header, b"/Fm Do /Fm Do".to_vec()));
    let resources = tree(&mut document).get_mut(b"Resources").unwrap().as_dict_mut().unwrap();
    resources.set("XObject", dictionary! { "Fm" => form });
    document
}

fn fontless() -> Document {
    let mut document = written(&[TEXT]);
    tree(&mut document).remove(b"Resources");
    document
}

fn noise(garbage: &[u8]) -> Document {
    let mut document = Document::with_version("1.5");
    let pages = document.new_object_id();
    let page = page(&mut document, pages, garbage);
    finish(&mut document, pages, vec![page.into()]);
    document
}

/// 160 MB of nothing in a page's content.
fn bomb() -> Document {
    let mut document = Document::with_version("1.5");
    let pages = document.new_object_id();
    let page = page(&mut document, pages, &vec![b' '; 160 << 20]);
    finish(&mut document, pages, vec![page.into()]);
    document.compress();
    document
}

fn nested() -> Document {
    let depth = 200_000;
    let mut content = "[".repeat(depth);
    content.push_str(&"]".repeat(depth));
    content.push_str(" TJ");
    pdf(&[content])
}

fn circle() -> Document {
    let mut document = Document::with_version("1.5");
    let (pages, inner) = (document.new_object_id(), document.new_object_id());
    finish(&mut document, pages, vec![inner.into()]);
    document.set_object(
        inner,
        dictionary! { "Type" => "Pages", "Kids" => vec![pages.into()], "Parent" => pages },
    );
    document
}

fn deep_tree() -> Document {
    let mut document = Document::with_version("1.5");
    let root = document.new_object_id();
    let mut inner = page(&mut document, root, text_at(50, 700, TEXT).as_bytes());
    for _ in 0..20_000 {
        inner = document.add_object(
            dictionary! { "Type" => "Pages", "Kids" => vec![inner.into()], "Count" => 1 },
        );
    }
    finish(&mut document, root, vec![inner.into()]);
    document
}
