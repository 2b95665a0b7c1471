//! PDFs of plain text, made by hand: what goes in is known to the letter.

/// A PDF with one page for each text; lines are broken at 80 characters.
#[must_use]
pub fn pdf(pages: &[&str]) -> Vec<u8> {
    let mut objects = vec![String::new(); 3];
    let mut kids = Vec::new();
    for page in pages {
        let content = content(page);
        kids.push(format!("{} 0 R", objects.len() + 1));
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents {} 0 R >>",
            objects.len() + 2
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
    }
    objects[0] = "<< /Type /Catalog /Pages 2 0 R >>".to_owned();
    objects[1] = format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), kids.len());
    objects[2] =
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
            .to_owned();
    let mut file = "%PDF-1.4\n".to_owned();
    let mut offsets = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", number + 1));
    }
    let xref = file.len();
    file.push_str(&format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1));
    offsets.iter().for_each(|offset| file.push_str(&format!("{offset:010} 00000 n \n")));
    let size = objects.len() + 1;
    file.push_str(&format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{xref}\n%%EOF\n"));
    file.into_bytes()
}

fn content(page: &str) -> String {
    let mut text = "BT /F1 11 Tf 14 TL 50 790 Td\n".to_owned();
    let mut line = String::new();
    for word in page.split_whitespace() {
        if line.len() + word.len() > 80 {
            text.push_str(&format!("({}) Tj T*\n", line.trim_end()));
            line.clear();
        }
        line.push_str(&word.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)"));
        line.push(' ');
    }
    text.push_str(&format!("({}) Tj T*\nET", line.trim_end()));
    text
}
