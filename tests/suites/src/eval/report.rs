//! The table of `docs/retrieval.md`. In: questions with responses. Out: Markdown. Pure.

use std::collections::BTreeMap;

use super::corpus::{Kind, Question, Split};
use super::score::{Response, Scores, score};

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// The table for the app and for the plain setting.
#[must_use]
pub fn table(questions: &[Question], app: &[Response], plain: &[Response]) -> String {
    let mut out = String::from(
        "| questions | | count | recall@1 | @2 | @3 | @5 | MRR | citations: precision | recall | words on the page | refusals: precision | recall |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut row = |what: &str, pick: &dyn Fn(&Question) -> bool| {
        for (name, given) in [("Tenantry", app), ("plain", plain)] {
            let all = questions.iter().zip(given).filter(|(question, _)| pick(question));
            out.push_str(&line(what, name, &score(all)));
        }
    };
    row("**test**", &|question| question.split == Split::Test);
    row("dev", &|question| question.split == Split::Dev);
    let mut kinds: BTreeMap<Kind, &str> = BTreeMap::new();
    for (kind, words) in [
        (Kind::Exact, "test: exact words"),
        (Kind::Paraphrase, "test: other words"),
        (Kind::FollowUp, "test: follow-up"),
        (Kind::TwoDocuments, "test: two documents"),
    ] {
        kinds.insert(kind, words);
    }
    for (kind, words) in kinds {
        row(words, &|question| question.split == Split::Test && question.kind == kind);
    }
    row("test: not in English", &|question| {
        question.split == Split::Test && question.language != "en"
    });
    out
}

fn line(what: &str, name: &str, scores: &Scores) -> String {
    let [one, two, three, five] = scores.recall.map(number);
    let ([precision, found], [right, refused]) =
        (scores.citations.map(number), scores.refusals.map(number));
    let verbatim = scores.verbatim.map_or_else(|| "–".to_owned(), number);
    format!(
        "| {what} | {name} | {} | {one} | {two} | {three} | {five} | {} | {precision} | {found} | {verbatim} | {right} | {refused} |\n",
        scores.count,
        number(scores.mrr)
    )
}

fn number(value: f64) -> String {
    format!("{value:.3}")
}

/// The page with this table in the place of the one that it holds.
#[must_use]
pub fn page(text: &str, table: &str) -> Option<String> {
    let begin = text.find(BEGIN)? + BEGIN.len();
    let end = begin + text[begin..].find(END)?;
    Some(format!("{}\n{table}{}", &text[..begin], &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_takes_its_place() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb");
        let new = page(&text, "| new |\n").unwrap();
        assert_eq!(new, format!("a\n{BEGIN}\n| new |\n{END}\nb"));
        assert_eq!(page("no marks", ""), None);
    }
}
