//! Text that behaves like text: a few words everywhere, most of them rare. The same seed gives the same text.

/// Words in the language.
const WORDS: usize = 4000;
/// The most frequent ones; in a real language they are stop words, which no search looks for.
const COMMON: usize = 40;
const SYLLABLES: [&str; 24] = [
    "ka", "lo", "mi", "ter", "ran", "vel", "so", "pri", "don", "cal", "ne", "fi", "bur", "tha",
    "gen", "qui", "mo", "las", "per", "ost", "hum", "dra", "zel", "wic",
];

/// A stream of words.
#[derive(Debug, Clone)]
pub(super) struct Words {
    state: u64,
    /// Summed frequencies.
    up_to: std::sync::Arc<Vec<f64>>,
}

/// Mixes a number so that near ones come out far apart.
pub(super) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Words {
    pub(super) fn new(seed: u64) -> Self {
        let mut sum = 0.0;
        let frequency = |rank: usize| 1.0 / (rank as f64 + 2.7);
        let up_to = (0..WORDS).map(|rank| {
            sum += frequency(rank);
            sum
        });
        Self { state: mix(seed), up_to: std::sync::Arc::new(up_to.collect()) }
    }

    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(1);
        mix(self.state)
    }

    fn rank(&mut self) -> usize {
        let share = (self.number() >> 11) as f64 / (1_u64 << 53) as f64;
        let at = share * self.up_to.last().copied().unwrap_or_default();
        self.up_to.partition_point(|sum| *sum < at).min(WORDS - 1)
    }

    fn word(rank: usize) -> String {
        // Frequent words are short; every rank has a word of its own.
        let (mut left, mut word) = (rank + SYLLABLES.len(), String::new());
        while left > 0 {
            word.push_str(SYLLABLES[left % SYLLABLES.len()]);
            left /= SYLLABLES.len();
        }
        word
    }

    pub(super) fn sentence(&mut self) -> String {
        let length = 8 + self.number() % 13;
        let words: Vec<String> = (0..length).map(|_| Self::word(self.rank())).collect();
        let sentence = words.join(" ");
        let (first, rest) = sentence.split_at(1);
        format!("{}{rest}.", first.to_uppercase())
    }

    /// At least so many characters, in whole sentences.
    pub(super) fn text(&mut self, characters: usize) -> String {
        let mut text = self.sentence();
        while text.len() < characters {
            text.push(' ');
            text.push_str(&self.sentence());
        }
        text
    }

    /// What somebody might ask.
    pub(super) fn question(&mut self) -> String {
        let mut words = Vec::new();
        while words.len() < 5 {
            let rank = self.rank();
            if rank >= COMMON {
                words.push(Self::word(rank));
            }
        }
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_text_and_ranks_differ() {
        assert_eq!(Words::new(7).text(900), Words::new(7).text(900));
        assert_ne!(Words::new(7).text(900), Words::new(8).text(900));
        let all: std::collections::HashSet<String> = (0..WORDS).map(Words::word).collect();
        assert!(all.len() > WORDS * 9 / 10, "{}", all.len());
    }
}
