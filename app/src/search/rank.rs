//! The order of passages that may answer a question.
//!
//! In: candidates with their places in the lists of both ways of searching. Out: the same, best first, each page's best before
//! the further ones of any page, without near-duplicates, each with its score and its relevance. Pure.

use std::{
    cmp::Ordering,
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use uuid::Uuid;

use super::sql::Candidate;

/// Reciprocal rank fusion: what stands high in either list is good, what stands in both is better; 60 keeps a first place in one
/// list from outweighing everything.
const FUSION: f64 = 60.0;
/// The order by relevance counts so much more than each of the two lists: it compares passages of both.
const RELEVANCE: f64 = 3.0;
/// So much of the best relevance in its document adds to a passage's: an answer often stands in the document that speaks of the
/// matter, in words that the question does not have.
const DOCUMENT: f64 = 0.1;
/// The part of the similarity in meaning in a passage's relevance; the rest is how many of the words it holds.
const MEANING: f64 = 0.6;
/// Two passages that share so much of their words in order say the same.
const SAME: f64 = 0.8;
/// Words in order that are compared.
const SHINGLE: usize = 3;
/// So many of the best are looked at for near-duplicates; what comes later is hardly ever shown.
const COMPARED: usize = 16;

/// A candidate in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// The passage.
    pub passage: Candidate,
    /// What it is ordered by, among the first of their pages and among the others; only the order means something.
    pub score: f64,
}

impl Ranked {
    /// How likely it answers, from 0 to 1: similarity in meaning, and how much of the question's words it holds.
    #[must_use]
    pub fn relevance(&self) -> f64 {
        // Half of the words says less than half of what all of them say.
        let coverage = self.passage.coverage * self.passage.coverage;
        match self.passage.similarity {
            Some(similarity) => MEANING * similarity.max(0.0) + (1.0 - MEANING) * coverage,
            None => coverage,
        }
    }
}

/// Best first.
#[must_use]
pub fn rank(candidates: Vec<Candidate>) -> Vec<Ranked> {
    let ranked = candidates.into_iter().map(|passage| Ranked { score: score(&passage), passage });
    let mut ranked: Vec<Ranked> = ranked.collect();
    let mut documents: HashMap<Uuid, f64> = HashMap::new();
    for one in &ranked {
        let best = documents.entry(one.passage.document_id).or_default();
        *best = best.max(one.relevance());
    }
    let relevance = |one: &Ranked| {
        one.relevance()
            + documents.get(&one.passage.document_id).map_or(0.0, |best| DOCUMENT * best)
    };
    ranked.sort_by(|one, other| {
        relevance(other).total_cmp(&relevance(one)).then_with(|| order(one, other))
    });
    for (place, one) in (1_u32..).zip(&mut ranked) {
        one.score += RELEVANCE / (FUSION + f64::from(place));
    }
    ranked.sort_by(order);
    without_duplicates(by_page(ranked))
}

/// Whoever reads a few sees as many pages: what repeats a page comes after all that do not.
fn by_page(ranked: Vec<Ranked>) -> Vec<Ranked> {
    let mut pages: Vec<(Uuid, i32, i32)> = Vec::new();
    let is_first = |one: &Ranked| {
        let passage = &one.passage;
        let (Some(first), Some(last)) = (passage.page_first, passage.page_last) else {
            return true;
        };
        let known = pages.iter().any(|(document, from, to)| {
            *document == passage.document_id && *from <= first && last <= *to
        });
        if !known {
            pages.push((passage.document_id, first, last));
        }
        !known
    };
    let (mut firsts, further): (Vec<_>, Vec<_>) = ranked.into_iter().partition(is_first);
    firsts.extend(further);
    firsts
}

fn order(one: &Ranked, other: &Ranked) -> Ordering {
    other.score.total_cmp(&one.score).then(one.passage.id.cmp(&other.passage.id))
}

fn score(passage: &Candidate) -> f64 {
    let place = |place: Option<i64>| place.map_or(0.0, |place| 1.0 / (FUSION + place as f64));
    place(passage.near) + place(passage.alike)
}

/// A passage that stands in two documents, or twice in one, is told once.
fn without_duplicates(ranked: Vec<Ranked>) -> Vec<Ranked> {
    let mut kept: Vec<Ranked> = Vec::with_capacity(ranked.len());
    let mut seen: Vec<Print> = Vec::new();
    for one in ranked {
        if kept.len() < COMPARED {
            let print = Print::of(&one.passage.content);
            if seen.iter().any(|other| print.is_like(other)) {
                continue;
            }
            seen.push(print);
        }
        kept.push(one);
    }
    kept
}

/// What a text is compared by: hashes, in order, each once.
struct Print {
    shingles: Vec<u64>,
    /// Two leases of one form differ in their sums: such texts are not the same.
    numbers: Vec<u64>,
}

impl Print {
    fn of(text: &str) -> Self {
        let text = text.to_lowercase();
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let (mut all, mut numbers) = (Vec::new(), Vec::new());
        for word in words {
            let hash = hash(std::iter::once(word));
            all.push(hash);
            if word.contains(|c: char| c.is_ascii_digit()) {
                numbers.push(hash);
            }
        }
        let size = SHINGLE.min(all.len().max(1));
        let shingles = all.windows(size).map(|words| hash(words.iter()));
        Self { shingles: each_once(shingles.collect()), numbers: each_once(numbers) }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.numbers == other.numbers && are_alike(&self.shingles, &other.shingles)
    }
}

fn hash(parts: impl Iterator<Item = impl Hash>) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.for_each(|part| part.hash(&mut hasher));
    hasher.finish()
}

fn each_once(mut hashes: Vec<u64>) -> Vec<u64> {
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// Whether what both have is more than [`SAME`] of what either has (Jaccard). Of two that differ, a part is enough to know it.
fn are_alike(one: &[u64], other: &[u64]) -> bool {
    let all = one.len() + other.len();
    let most = all as f64 * (1.0 - SAME) / (1.0 + SAME);
    let (mut left, mut right, mut differ) = (one, other, 0_usize);
    while let ([first, left_rest @ ..], [second, right_rest @ ..]) = (left, right) {
        match first.cmp(second) {
            Ordering::Less => left = left_rest,
            Ordering::Greater => right = right_rest,
            Ordering::Equal => {
                (left, right) = (left_rest, right_rest);
                continue;
            }
        }
        differ += 1;
        if differ as f64 >= most {
            return false;
        }
    }
    all == 0 || ((differ + left.len() + right.len()) as f64) < most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: i64, near: Option<i64>, alike: Option<i64>) -> Candidate {
        let content =
            format!("{id} passage {} speaks {} of nothing {} else", id * 7, id * 31, id * 5);
        Candidate { id, near, alike, content, ..Candidate::default() }
    }

    fn ids(ranked: &[Ranked]) -> Vec<i64> {
        ranked.iter().map(|one| one.passage.id).collect()
    }

    #[test]
    fn what_stands_in_both_lists_is_better() {
        let all = vec![
            candidate(1, Some(1), None),
            candidate(2, None, Some(1)),
            candidate(3, Some(5), Some(5)),
            candidate(4, Some(2), None),
        ];
        assert_eq!(ids(&rank(all)), [3, 1, 2, 4]);
    }

    #[test]
    fn what_is_more_relevant_is_better() {
        let relevant = |id, similarity| Candidate {
            similarity: Some(similarity),
            ..candidate(id, Some(id), None)
        };
        let all = vec![relevant(1, 0.2), relevant(2, 0.2), relevant(3, 0.9)];
        assert_eq!(ids(&rank(all)), [3, 1, 2]);
    }

    #[test]
    fn a_document_that_speaks_of_the_matter_lifts_its_passages() {
        let of = |id, document, similarity| Candidate {
            document_id: Uuid::from_u128(document),
            similarity: Some(similarity),
            ..candidate(id, None, None)
        };
        let all = vec![of(1, 7, 0.9), of(2, 7, 0.50), of(3, 8, 0.52)];
        assert_eq!(ids(&rank(all)), [1, 2, 3]);
    }

    #[test]
    fn further_passages_of_a_page_come_after_all_pages() {
        let of = |id, first, last| Candidate {
            page_first: Some(first),
            page_last: Some(last),
            ..candidate(id, Some(id), None)
        };
        let all = vec![of(1, 4, 5), of(2, 5, 5), of(3, 5, 6), of(4, 1, 1)];
        assert_eq!(ids(&rank(all)), [1, 3, 4, 2], "the second stands on a page of the first");
        let mut other = of(2, 5, 5);
        other.document_id = Uuid::from_u128(9);
        assert_eq!(ids(&rank(vec![of(1, 4, 5), other, of(3, 7, 7)])), [1, 2, 3]);
        let without = vec![candidate(1, Some(1), None), candidate(2, Some(2), None)];
        assert_eq!(ids(&rank(without)), [1, 2], "what has no page is not on the same");
    }

    #[test]
    fn the_same_text_is_told_once() {
        let mut twin = candidate(2, Some(2), None);
        twin.content = candidate(1, None, None).content.to_uppercase() + "!";
        let all = vec![candidate(1, Some(1), None), twin, candidate(3, Some(3), None)];
        assert_eq!(ids(&rank(all)), [1, 3]);
        let lease = |id, rent| {
            let content = format!(
                "The tenant of the house pays a rent of {rent} pounds on the first day of each quarter, in advance, \
                without being asked, to the account that the landlord names, and no later than noon of that day."
            );
            Candidate { id, near: Some(id), content, ..Candidate::default() }
        };
        assert_eq!(
            ids(&rank(vec![lease(1, 400), lease(2, 500)])),
            [1, 2],
            "another sum is another lease"
        );
        assert_eq!(rank(vec![]).len(), 0);
        let empty = Candidate { id: 9, ..Candidate::default() };
        assert_eq!(rank(vec![empty.clone(), empty]).len(), 1);
    }

    #[test]
    fn alike_is_what_shares_more_than_four_fifths() {
        let to_ten: Vec<u64> = (1..=10).collect();
        assert!(are_alike(&[], &[]) && are_alike(&[7], &[7]));
        assert!(!are_alike(&[1, 2], &[]) && !are_alike(&[], &[1, 2]));
        assert!(are_alike(&to_ten, &to_ten[1..]), "9 of 10");
        assert!(are_alike(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 11], &to_ten), "9 of 11");
        assert!(!are_alike(&to_ten[..4], &to_ten[..5]), "4 of 5");
        assert!(!are_alike(&to_ten[..8], &to_ten), "8 of 10");
        assert!(!are_alike(&[1, 2, 5], &[2, 3, 5]));
    }

    #[test]
    fn relevance_counts_meaning_and_words() {
        let of = |similarity, coverage| {
            let passage = Candidate { similarity, coverage, ..Candidate::default() };
            (Ranked { passage, score: 0.0 }.relevance() * 100.0).round()
        };
        assert_eq!(of(Some(0.6), 1.0), 76.0);
        assert_eq!(of(Some(-0.2), 0.0), 0.0);
        assert_eq!(of(None, 0.5), 25.0);
    }
}
