use std::hash::{DefaultHasher, Hash, Hasher};

/// Remembers keys in a memory that does not grow (a Bloom filter): what it says is new is new, and what is not new it never
/// says is. Of what is new it overlooks some, the more the more keys there are: at 100 million about one in ten.
#[derive(Debug)]
pub struct Seen {
    words: Vec<u64>,
}

/// 64 MiB of them.
const WORDS: usize = 1 << 23;

impl Seen {
    pub fn new() -> Self {
        Self { words: vec![0; WORDS] }
    }

    /// Whether nobody asked for the key before.
    pub fn is_new(&mut self, key: impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let hash = hasher.finish();
        // All bits of a key are in one word, so that it costs one look into memory. The word is chosen by the bits above.
        let bits = (1 << (hash & 63)) | (1 << (hash >> 6 & 63)) | (1 << (hash >> 12 & 63));
        let word = &mut self.words[(hash >> 18) as usize % WORDS];
        let is_new = *word & bits != bits;
        *word |= bits;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_new_once_and_few_new_ones_are_overlooked() {
        let mut seen = Seen::new();
        let overlooked = (0..1_000_000).filter(|number| !seen.is_new(("key", number))).count();
        assert!(overlooked < 1000, "{overlooked}");
        assert!((0..1_000_000).all(|number| !seen.is_new(("key", number))));
    }
}
