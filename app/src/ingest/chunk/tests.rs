//! Passages of many kinds of text.

use super::*;

fn passages(pages: &[&str]) -> Vec<Passage> {
    let mut chunker = Chunker::default();
    let mut all = Vec::new();
    for (page, number) in pages.iter().zip(1..) {
        all.extend(chunker.page(number, page));
    }
    all.extend(chunker.finish());
    all
}

/// What holds of every text: order, size, pages, nothing lost, nothing cut inside a character.
fn check(pages: &[&str]) -> Vec<Passage> {
    let all = passages(pages);
    let last = i32::try_from(pages.len()).unwrap();
    let mut page = 1;
    for (passage, position) in all.iter().zip(0..) {
        assert_eq!(passage.position, position);
        assert!(
            page <= passage.page_first
                && passage.page_first <= passage.page_last
                && passage.page_last <= last
        );
        page = passage.page_first;
        let length = passage.text.chars().count();
        assert!((1..=MOST).contains(&length), "{length} characters");
        assert_eq!(passage.text.trim(), passage.text);
    }
    // Every passage begins in what those before it hold, and together they are the text.
    let squeeze = |text: &str| text.split_whitespace().collect::<String>().replace('-', "");
    let whole: String = pages.iter().map(|page| squeeze(&clean(page))).collect();
    let mut held = 0;
    for passage in &all {
        let text = squeeze(&passage.text);
        let begin = (0..=held)
            .rev()
            .find(|begin| whole.is_char_boundary(*begin) && whole[*begin..].starts_with(&text));
        held = held.max(begin.expect("a passage of the text, without a gap") + text.len());
    }
    assert_eq!(held, whole.len());
    all
}

fn sentences(count: usize) -> String {
    (0..count)
        .map(|n| format!("Sentence number {n} says that e.g. item {n} of the list is new. "))
        .collect()
}

#[test]
fn nothing_gives_nothing() {
    for pages in [&[][..], &[""], &["", " \n ", "\u{0}"]] {
        assert_eq!(passages(pages), Vec::new());
    }
}

#[test]
fn a_short_text_is_one_passage_that_knows_its_page() {
    let all = check(&["", "", "Hello."]);
    assert_eq!(
        all,
        [Passage { position: 0, page_first: 3, page_last: 3, text: "Hello.".to_owned() }]
    );
}

#[test]
fn a_page_that_is_complete_keeps_its_passages_to_itself() {
    let all = check(&["One.", "Two.", "", "Three."]);
    let pages: Vec<_> = all.iter().map(|p| (p.page_first, p.page_last, p.text.as_str())).collect();
    assert_eq!(pages, [(1, 1, "One."), (2, 2, "Two."), (4, 4, "Three.")]);
    let long = sentences(30);
    for passage in check(&[&long, &long, "Short.", &long]) {
        assert_eq!(passage.page_first, passage.page_last, "{passage:?}");
    }
}

#[test]
fn a_passage_may_stand_on_several_pages() {
    // One letter on each of 3,000 pages.
    let pages: Vec<&str> = std::iter::repeat_n("x", 3000).collect();
    let all = check(&pages);
    assert_eq!(all.last().unwrap().page_last, 3000);
}

#[test]
fn a_word_or_a_sentence_goes_on_over_a_pages_end() {
    assert_eq!(check(&["some infor-", "mation here"])[0].text, "some information here");
    assert_eq!(check(&["a sentence that", "goes on"])[0].text, "a sentence that goes on");
    let all = check(&["It ends on the next page: the", "last word."]);
    assert_eq!((all.len(), all[0].page_first, all[0].page_last), (1, 1, 2));
}

#[test]
fn cuts_are_at_paragraphs_first() {
    let paragraph = "word ".repeat(130);
    let pages = [format!("{paragraph}.\n\n{paragraph}.\n\n{paragraph}.")];
    let all = check(&[&pages[0]]);
    assert!(all[0].text.chars().count() < 660 && all[0].text.ends_with('.'), "{}", all[0].text);
}

#[test]
fn cuts_are_at_sentences_next_and_abbreviations_are_none() {
    let all = check(&[&sentences(100)]);
    for passage in &all {
        assert!(passage.text.ends_with("is new."), "{}", passage.text);
        assert!(passage.text.starts_with("Sentence number"), "{}", passage.text);
    }
    let first: usize = all[0].text.chars().count();
    assert!((850..=1000).contains(&first), "{first}");
}

#[test]
fn passages_overlap_by_about_an_eighth() {
    let all = check(&[&sentences(200)]);
    for pair in all.windows(2) {
        let (before, after) = (&pair[0].text, &pair[1].text);
        let shared = (1..=250).rev().find(|length| {
            after.is_char_boundary(*length) && before.ends_with(after[..*length].trim_end())
        });
        assert!((60..=200).contains(&shared.unwrap()), "{shared:?}");
    }
}

#[test]
fn words_stay_whole_where_there_are_no_sentences() {
    let words: String = (0..2000).map(|n| format!("word{n:05} ")).collect();
    for passage in check(&[&words]) {
        assert!(passage.text.split(' ').all(|word| word.len() == 9), "{}", passage.text);
    }
}

#[test]
fn a_million_characters_without_a_blank_are_cut_in_time() {
    let all = check_fast(&"x".repeat(1_000_000));
    assert!((1000..1300).contains(&all), "{all}");
    let all = check_fast(&"e\u{303}\u{325}".repeat(300_000));
    assert!((600..900).contains(&all), "{all}");
}

/// As `check`, without what is quadratic.
fn check_fast(page: &str) -> usize {
    let all = passages(&[page]);
    assert!(all.iter().all(|passage| passage.text.chars().count() <= MOST));
    all.len()
}

#[test]
fn scripts_of_all_kinds_are_cut_at_their_sentences() {
    let chinese = "数据库保存每个文档的段落。每个段落都知道它在哪一页。".repeat(120);
    for passage in check(&[&chinese]) {
        assert!(passage.text.ends_with('。'), "{}", passage.text);
    }
    let arabic = "هذا نص عربي طويل بما يكفي. وهذه جملة أخرى فيه. ".repeat(100);
    for passage in check(&[&arabic]) {
        assert!(passage.text.ends_with('.'), "{}", passage.text);
    }
    // No blanks, no full stops.
    check(&[&"ภาษาไทยเขียนติดกันไม่มีช่องว่าง".repeat(200)]);
}

#[test]
fn characters_of_several_parts_stay_whole() {
    for character in ["👩‍👩‍👧‍👦", "🇨🇭", "e\u{323}\u{306}", "각", "क्षि"]
    {
        let composed: String = clean(character);
        for passage in passages(&[&character.repeat(900)]) {
            assert_eq!(passage.text.replace(&composed, ""), "", "{character}");
        }
    }
}

#[test]
fn any_text_comes_out_whole() {
    let pieces = [
        "word",
        " ",
        " ",
        "\n",
        "\n\n",
        ". ",
        "。",
        "\u{0}",
        "\u{ad}",
        "e\u{301}",
        "👩‍👧",
        "x",
        "Long-",
        "-",
        "ü",
        "字",
        "?! ",
        "\t",
        "\u{200d}",
        "\u{301}",
        "é",
        "1.5",
    ];
    // A linear congruential generator: the same texts each time.
    let mut state = 42_u64;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..40 {
        let pages: Vec<String> = (0..1 + random(6))
            .map(|_| (0..random(1500)).map(|_| pieces[random(pieces.len())]).collect())
            .collect();
        check(&pages.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
