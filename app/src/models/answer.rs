//! What an embedding API answers, and whether it may be believed.
//!
//! In: the parsed body, and what was asked for. Out: vectors in the order of the texts, or why not. Other fields than these
//! two are not needed, so servers that leave them out are served as well. A vector comes as base64 of its numbers, or as the
//! numbers themselves from servers that know no other form.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};

use super::Error;

/// The body of an answer.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    data: Vec<Item>,
}

#[derive(Debug, Deserialize)]
struct Item {
    index: usize,
    #[serde(deserialize_with = "vector")]
    embedding: Vec<f32>,
}

fn vector<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f32>, D::Error> {
    from.deserialize_any(Form)
}

/// Reads a vector in either of its forms, without a copy in between.
struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = Vec<f32>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a vector: numbers, or base64 of little-endian 32-bit floats")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<f32>, E> {
        let bytes = BASE64.decode(text).map_err(|_| E::custom("a vector is no base64"))?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(E::custom("a vector ends within a number"));
        }
        Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Vec<f32>, A::Error> {
        let mut vector = Vec::new();
        while let Some(number) = numbers.next_element()? {
            vector.push(number);
        }
        Ok(vector)
    }
}

impl Answer {
    /// One vector for each of `count` texts, in their order.
    pub(super) fn vectors(mut self, count: usize, dimensions: i32) -> Result<Vec<Vec<f32>>, Error> {
        let refuse = |words: String| Err(Error::Refused(words));
        if self.data.len() != count {
            return refuse(format!("it gave {} vectors for {count} texts", self.data.len()));
        }
        self.data.sort_by_key(|item| item.index);
        if self.data.iter().enumerate().any(|(place, item)| item.index != place) {
            return refuse("it did not say which vector belongs to which text".to_owned());
        }
        for item in &self.data {
            let got = item.embedding.len();
            if i32::try_from(got) != Ok(dimensions) {
                return Err(Error::Dimensions { expected: dimensions, got });
            }
            if item.embedding.iter().any(|value| !value.is_finite()) {
                return refuse(
                    "it gave a vector that holds something else than numbers".to_owned(),
                );
            }
            if item.embedding.iter().all(|value| *value == 0.0) {
                return refuse(
                    "it gave a vector of nothing but zeros, which points nowhere".to_owned(),
                );
            }
        }
        Ok(self.data.into_iter().map(|item| item.embedding).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(data: Value, count: usize) -> Result<Vec<Vec<f32>>, Error> {
        serde_json::from_value::<Answer>(json!({"data": data})).unwrap().vectors(count, 2)
    }

    #[test]
    fn vectors_come_in_the_order_of_the_texts() {
        let data = json!([{"index": 1, "embedding": [3, 4]}, {"index": 0, "embedding": [1, 2]}]);
        assert_eq!(read(data, 2).unwrap(), [[1.0, 2.0], [3.0, 4.0]]);
    }

    #[test]
    fn vectors_come_as_base64_too() {
        let item = |vector: &str| json!([{"index": 0, "embedding": vector}]);
        assert_eq!(read(item("AACAPwAAAMA="), 1).unwrap(), [[1.0, -2.0]]);
        for (vector, words) in [("AACAPw!", "no base64"), ("AACAPwAA", "ends within a number")] {
            let error =
                serde_json::from_value::<Answer>(json!({"data": item(vector)})).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        let error = read(item("AADAfwAAgD8="), 1).unwrap_err();
        assert!(error.to_string().contains("something else than numbers"), "{error}");
    }

    #[test]
    fn what_cannot_be_believed_is_refused() {
        let one = |vector: Value| json!([{"index": 0, "embedding": vector}]);
        let cases = [
            (one(json!([1, 2])), 2, "1 vectors for 2 texts"),
            (
                json!([{"index": 0, "embedding": [1, 2]}, {"index": 0, "embedding": [1, 2]}]),
                2,
                "which vector",
            ),
            (one(json!([1e39, 2])), 1, "something else than numbers"),
            (one(json!([0, 0])), 1, "nothing but zeros"),
        ];
        for (data, count, words) in cases {
            let error = read(data, count).unwrap_err();
            assert!(
                matches!(error, Error::Refused(_)) && error.to_string().contains(words),
                "{error}"
            );
        }
        let error = read(one(json!([1, 2, 3])), 1).unwrap_err();
        assert_eq!(error, Error::Dimensions { expected: 2, got: 3 });
        assert!(error.to_string().contains("set --embedding-dimensions to 3"), "{error}");
    }
}
