// PDFs with known sentences on known pages, made without any library.
//
// In: pages as lists of lines, or a number of pages. Out: a PDF (1.4, Helvetica) that every reader takes. Run by itself it writes one:
// `node pdf.mjs out.pdf 12`.

import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** What stands on the first pages of every document made here, and how somebody would ask for it in other words. */
export const TOPICS = [
  { sentence: 'The harbour master writes down the name of every ship that arrives after midnight.', question: 'Who records vessels that come in at night?' },
  { sentence: 'Sourdough bread rises slowly because wild yeast needs many hours of warmth.', question: 'Why does a loaf made with natural yeast take so long?' },
  { sentence: 'The lighthouse keeper polishes the great lens each evening before sunset.', question: 'Who cleans the lamp of the lighthouse?' },
  { sentence: 'Invoices must be paid within thirty days, or interest of two percent is added.', question: 'What happens when a bill is settled too late?' },
  { sentence: 'Honeybees dance in circles to tell their sisters where the flowers are.', question: 'How do bees show others the way to blossoms?' },
  { sentence: 'The violin maker lets the spruce wood dry for ten winters before he carves it.', question: 'How long is timber stored before an instrument is built?' },
];
const WORDS = 'the old garden wall stands beside a quiet road where travellers rest and talk about weather markets letters bridges and slow journeys through hills that nobody measured while clocks in distant towers count another ordinary afternoon'.split(' ');

/** Lines of one page: its topic where there is one, then words that mean little, different on every page, and are in no question. */
function linesOf(page, lines) {
  const topic = TOPICS[page - 1];
  const filler = (line) => Array.from({ length: 11 }, (_, word) => WORDS[(page * 7 + line * 13 + word * (1 + (page % 5))) % WORDS.length]).join(' ');
  const text = Array.from({ length: lines }, (_, line) => `${filler(line)}${line % 3 === 2 ? '.' : ''}`);
  return [`Page ${page}`, '', ...(topic ? [topic.sentence, ''] : []), ...text];
}

/** A document of so many pages. */
export function book(pages, { title = 'A book of topics', lines = 24 } = {}) {
  return pdf(Array.from({ length: pages }, (_, index) => linesOf(index + 1, lines)), title);
}

/** A PDF of these pages, each a list of lines. */
export function pdf(pages, title) {
  const literal = (text) => `(${text.replace(/[\\()]/g, '\\$&')})`;
  const kids = pages.map((_, index) => `${4 + index * 2} 0 R`).join(' ');
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R /Lang (en) >>',
    `<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>',
  ];
  pages.forEach((lines, index) => {
    const text = lines.map((line) => `${literal(line)} Tj T*`).join('\n');
    const content = `BT /F1 11 Tf 15 TL 60 780 Td\n${text}\nET`;
    objects.push(`<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents ${5 + index * 2} 0 R >>`);
    objects.push(`<< /Length ${content.length} >>\nstream\n${content}\nendstream`);
  });
  objects.push(`<< /Title ${literal(title)} >>`);
  let text = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const offset = text.length;
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const start = text.length;
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  text += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R /Info ${objects.length} 0 R >>\nstartxref\n${start}\n%%EOF\n`;
  return Buffer.from(text, 'latin1');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [out, pages = '6'] = process.argv.slice(2);
  if (!out) {
    console.error('usage: node pdf.mjs out.pdf [pages]');
    process.exit(2);
  }
  writeFileSync(out, book(Number(pages)));
}
