// Where a quoted passage stands in the text of a page.
//
// In: a quote and a text, each as some program read it from the same PDF. Out: pieces of that text, or nothing: a mark at the wrong place
// is worse than none, so at least half of the quote must be there, in runs that cannot be chance. Pure: no element is known here.
//
// Programs differ in spaces, hyphens at line ends, ligatures and accents. So only letters and digits are compared, each taken apart.

/** Shorter runs are found on every page. */
const RUN = 16;
/** What is shorter than this is not sure to be the passage. */
const LEAST = 12;
/** So many signs between two runs that neither text agrees on, such as the number of a page, are marked with them. */
const GAP = 48;

/** The letters and digits of a text, and for each the place of its sign in the text. */
function letters(text) {
  const [signs, places] = [[], []];
  let place = 0;
  for (const sign of text) {
    for (const letter of sign.normalize("NFKD").toLowerCase()) {
      if (!/[\p{L}\p{N}]/u.test(letter)) continue;
      signs.push(letter);
      places.push(place);
    }
    place += sign.length;
  }
  return { signs, places };
}

/** The longest run that both hold, within the given bounds: where it begins in each, and its length. */
function longestRun(a, b, [aFrom, aTo, bFrom, bTo]) {
  let best = { a: 0, b: 0, length: 0 };
  let before = new Uint16Array(bTo - bFrom + 1);
  let now = new Uint16Array(bTo - bFrom + 1);
  for (let i = aFrom; i < aTo; i += 1) {
    for (let j = bFrom; j < bTo; j += 1) {
      const length = a[i] === b[j] ? before[j - bFrom] + 1 : 0;
      now[j - bFrom + 1] = length;
      if (length > best.length) best = { a: i - length + 1, b: j - length + 1, length };
    }
    [before, now] = [now, before];
  }
  return best;
}

/** All long runs in the same order in both: the longest, then those before it and those after it. */
function runs(a, b, bounds) {
  const [aFrom, aTo, bFrom, bTo] = bounds;
  if (aTo - aFrom < LEAST || bTo - bFrom < LEAST) return [];
  const best = longestRun(a, b, bounds);
  if (best.length < Math.min(RUN, a.length)) return [];
  return [
    ...runs(a, b, [aFrom, best.a, bFrom, best.b]),
    best,
    ...runs(a, b, [best.a + best.length, aTo, best.b + best.length, bTo]),
  ];
}

/** A sentence is marked with the stop at its end. */
function endOf(text, last) {
  const rest = /^.[\p{M}\p{P}]{0,3}/su.exec(text.slice(last, last + 8));
  return last + rest[0].length;
}

/** The pieces of `text`, as [from, to) pairs, that are the quote; null when that is not sure. */
export function locate(quote, text) {
  const [wanted, page] = [letters(quote), letters(text)];
  if (wanted.signs.length < LEAST || page.signs.length > 60_000) return null;
  const found = runs(wanted.signs, page.signs, [0, wanted.signs.length, 0, page.signs.length]);
  const length = found.reduce((sum, run) => sum + run.length, 0);
  if (length * 2 < wanted.signs.length) return null;
  const pieces = [];
  for (const run of found) {
    const last = pieces.at(-1);
    const near = last && run.b - last.to <= GAP && run.a - last.quoteTo <= GAP;
    if (near) Object.assign(last, { to: run.b + run.length, quoteTo: run.a + run.length });
    else pieces.push({ from: run.b, to: run.b + run.length, quoteTo: run.a + run.length });
  }
  return pieces.map(({ from, to }) => [page.places[from], endOf(text, page.places[to - 1])]);
}
