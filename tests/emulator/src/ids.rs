//! Names in Neon's own shapes: project `long-forest-06846227`, branch `br-floral-wind-a5090hvr`,
//! endpoint `ep-jolly-frost-a57qv4wh`, password `npg_…`, operation UUID. In: the system's randomness.

const ADJECTIVES: &[&str] = &[
    "aged",
    "autumn",
    "billowing",
    "bold",
    "calm",
    "cold",
    "cool",
    "crimson",
    "dark",
    "dawn",
    "dry",
    "falling",
    "floral",
    "fragrant",
    "frosty",
    "green",
    "hidden",
    "holy",
    "icy",
    "jolly",
    "late",
    "little",
    "lively",
    "long",
    "misty",
    "morning",
    "muddy",
    "noisy",
    "old",
    "patient",
    "polished",
    "proud",
    "purple",
    "quiet",
    "raspy",
    "red",
    "restless",
    "rough",
    "royal",
    "shiny",
    "shy",
    "silent",
    "small",
    "snowy",
    "solitary",
    "spring",
    "still",
    "sweet",
    "throbbing",
    "tiny",
    "twilight",
    "wandering",
    "weathered",
    "white",
    "wild",
    "winter",
    "wispy",
    "young",
];
const NOUNS: &[&str] = &[
    "art",
    "band",
    "bar",
    "bird",
    "block",
    "bonus",
    "breeze",
    "bush",
    "butterfly",
    "cake",
    "cell",
    "cherry",
    "cloud",
    "darkness",
    "dawn",
    "dew",
    "dream",
    "dust",
    "feather",
    "field",
    "fire",
    "firefly",
    "flower",
    "fog",
    "forest",
    "frog",
    "frost",
    "glade",
    "glitter",
    "grass",
    "hall",
    "hat",
    "haze",
    "heart",
    "hill",
    "king",
    "lab",
    "lake",
    "leaf",
    "limit",
    "meadow",
    "moon",
    "morning",
    "mountain",
    "night",
    "paper",
    "pine",
    "poetry",
    "pond",
    "queen",
    "rain",
    "rice",
    "river",
    "salad",
    "scene",
    "sea",
    "shadow",
    "shape",
    "silence",
    "sky",
    "smoke",
    "snow",
    "sound",
    "star",
    "sun",
    "surf",
    "term",
    "thunder",
    "tooth",
    "tree",
    "truth",
    "union",
    "unit",
    "violet",
    "voice",
    "water",
    "waterfall",
    "wave",
    "wildflower",
    "wind",
    "wood",
];
const LOWER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const ALNUM: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
        .expect("system randomness");
    bytes
}

fn pick(list: &[&'static str]) -> &'static str {
    list[u32::from_le_bytes(random()) as usize % list.len()]
}

fn chars(alphabet: &[u8], count: usize) -> String {
    let bytes: [u8; 32] = random();
    bytes.iter().take(count).map(|b| alphabet[*b as usize % alphabet.len()] as char).collect()
}

pub(crate) fn project_id() -> String {
    format!(
        "{}-{}-{:08}",
        pick(ADJECTIVES),
        pick(NOUNS),
        u32::from_le_bytes(random()) % 100_000_000
    )
}

pub(crate) fn branch_id() -> String {
    format!("br-{}-{}-a5{}", pick(ADJECTIVES), pick(NOUNS), chars(LOWER, 6))
}

pub(crate) fn endpoint_id() -> String {
    format!("ep-{}-{}-a5{}", pick(ADJECTIVES), pick(NOUNS), chars(LOWER, 6))
}

pub(crate) fn password() -> String {
    format!("npg_{}", chars(ALNUM, 12))
}

pub(crate) fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Physical name of a role or database in the shared Postgres: unique in the cluster, short enough.
pub(crate) fn physical(branch_id: &str) -> String {
    format!("{}_{}", branch_id.replace('-', "_"), chars(LOWER, 6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_neons_shapes() {
        for _ in 0..200 {
            for id in [project_id(), branch_id(), endpoint_id()] {
                assert!(
                    id.len() <= 60
                        && id
                            .bytes()
                            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                );
            }
            assert!(physical(&branch_id()).len() <= 63);
        }
        assert_eq!(password().len(), 16);
    }
}
