//! How good responses are. In: questions and what was served for each. Out: numbers from 0 to 1. Pure.

use super::corpus::{Gold, Kind, Question};

/// Pages of a document that a source stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub document: String,
    /// First page.
    pub first: i64,
    /// Last page.
    pub last: i64,
}

/// What was served for a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Sources, best first; none where it was refused.
    pub sources: Vec<Place>,
    /// What the answer cites.
    pub cited: Vec<Place>,
    /// Of each citation that comes with words, whether they stand at its place.
    pub verbatim: Vec<bool>,
}

/// Means over questions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// Questions.
    pub count: usize,
    /// Part of the needed answers among the first 1, 2, 3, 5 sources.
    pub recall: [f64; 4],
    /// 1 over the place of the first source that answers.
    pub mrr: f64,
    /// Part of the citations that stand on a page with the answer; and part of the needed answers that are cited.
    pub citations: [f64; 2],
    /// Part of the citations whose words stand on the page that they name; none where none comes with words.
    pub verbatim: Option<f64>,
    /// Part of the refusals that were right; and part of the unanswerable questions that were refused.
    pub refusals: [f64; 2],
}

/// The places that recall looks at.
const FIRST: [usize; 4] = [1, 2, 3, 5];

/// Scores over some questions.
#[must_use]
pub fn score<'a>(all: impl Iterator<Item = (&'a Question, &'a Response)> + Clone) -> Scores {
    let answerable = all.clone().filter(|(question, _)| question.kind != Kind::Unanswerable);
    let mean = |value: &dyn Fn(&Question, &Response) -> f64| {
        let values: Vec<f64> =
            answerable.clone().map(|(question, given)| value(question, given)).collect();
        part(values.iter().sum(), values.len() as f64)
    };
    let recall = FIRST.map(|first| {
        mean(&|question, given| covered(&question.answers, given.sources.iter().take(first)))
    });
    let mrr = mean(&|question, given| {
        let place = given.sources.iter().position(|place| answers(&question.answers, place));
        place.map_or(0.0, |place| 1.0 / (place + 1) as f64)
    });
    let (mut cited, mut right) = (0.0, 0.0);
    for (question, given) in answerable.clone() {
        cited += given.cited.len() as f64;
        right +=
            given.cited.iter().filter(|place| answers(&question.answers, place)).count() as f64;
    }
    let verbatim: Vec<bool> =
        all.clone().flat_map(|(_, given)| given.verbatim.iter().copied()).collect();
    let found = mean(&|question, given| covered(&question.answers, given.cited.iter()));
    let refused = |(_, given): &(&Question, &Response)| given.sources.is_empty();
    let is_right = |(question, _): &(&Question, &Response)| question.kind == Kind::Unanswerable;
    let refusals = all.clone().filter(refused).count() as f64;
    let right_refusals = all.clone().filter(refused).filter(is_right).count() as f64;
    let unanswerable = all.clone().filter(is_right).count() as f64;
    Scores {
        count: all.count(),
        recall,
        mrr,
        citations: [part(right, cited), found],
        verbatim: (!verbatim.is_empty()).then(|| {
            part(verbatim.iter().filter(|stands| **stands).count() as f64, verbatim.len() as f64)
        }),
        refusals: [part(right_refusals, refusals), part(right_refusals, unanswerable)],
    }
}

fn part(some: f64, all: f64) -> f64 {
    if all == 0.0 { 0.0 } else { some / all }
}

fn covered<'a>(needed: &[Gold], given: impl Iterator<Item = &'a Place> + Clone) -> f64 {
    let found = needed.iter().filter(|gold| given.clone().any(|place| holds(gold, place))).count();
    part(found as f64, needed.len() as f64)
}

fn answers(needed: &[Gold], place: &Place) -> bool {
    needed.iter().any(|gold| holds(gold, place))
}

fn holds(gold: &Gold, place: &Place) -> bool {
    gold.document == place.document
        && gold.pages.iter().any(|page| (place.first..=place.last).contains(page))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn question(kind: &str, answers: serde_json::Value) -> Question {
        let text = json!({"id": "q", "kind": kind, "text": "?", "language": "en", "answers": answers, "split": "test"});
        serde_json::from_value(text).unwrap()
    }

    fn place(document: &str, first: i64, last: i64) -> Place {
        Place { document: document.to_owned(), first, last }
    }

    #[test]
    fn scores_count_what_was_served() {
        let one = question("exact", json!([{"document": "a", "pages": [3]}]));
        let two = question(
            "two_documents",
            json!([{"document": "a", "pages": [1]}, {"document": "b", "pages": [2]}]),
        );
        let none = question("unanswerable", json!([]));
        let given = [
            Response {
                sources: vec![place("b", 3, 3), place("a", 2, 3)],
                cited: vec![place("a", 2, 3)],
                verbatim: vec![true],
            },
            Response {
                sources: vec![place("b", 2, 2)],
                cited: vec![place("b", 2, 2), place("b", 9, 9)],
                verbatim: vec![true, false, true],
            },
            Response::default(),
        ];
        let all = [&one, &two, &none];
        let scores = score(all.iter().copied().zip(&given));
        assert_eq!(scores.recall, [0.25, 0.75, 0.75, 0.75]);
        assert_eq!(scores.mrr, 0.75);
        assert_eq!(scores.citations, [2.0 / 3.0, 0.75]);
        assert_eq!(scores.refusals, [1.0, 1.0]);
        assert_eq!(scores.verbatim, Some(0.75));
        assert_eq!(score([(&none, &Response::default())].into_iter()).verbatim, None);
        let refused = [Response::default(), Response::default(), given[0].clone()];
        let scores = score(all.iter().copied().zip(&refused));
        assert_eq!((scores.recall[3], scores.refusals), (0.0, [0.0, 0.0]));
    }
}
