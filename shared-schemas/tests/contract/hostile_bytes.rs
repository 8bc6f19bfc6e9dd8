//! Every record survives bytes that are cut off, changed, or made up.

use avro_codec::{DecodeError, SchemaId, Schemas};

use crate::samples::{Sample, for_each_record};

/// Change it to try other inputs; a failure names it, so that it can be had again.
const SEED: u64 = 20_251_121;
const ROUNDS: usize = 2_000;
const HEADER: usize = 5;

#[test]
fn a_record_that_is_cut_off_is_refused_wherever_it_is_cut() {
    fn check<R: Sample>() {
        let (schemas, bytes) = written::<R>();
        for end in HEADER..bytes.len() {
            let read = schemas.decode::<R>(&bytes[..end]);
            assert_eq!(read, Err(DecodeError::Truncated(SchemaId(1))), "after {end} bytes");
        }
    }
    for_each_record!(check);
}

#[test]
fn no_bytes_cause_a_panic_whatever_record_is_expected() {
    fn check<R: Sample>() {
        let (schemas, original) = written::<R>();
        let mut random = Random(SEED);
        for _ in 0..ROUNDS {
            let mut bytes = original.clone();
            match random.below(3) {
                0 => bytes.truncate(HEADER + random.below(bytes.len() - HEADER)),
                1 => {
                    for _ in 0..=random.below(4) {
                        let at = HEADER + random.below(bytes.len() - HEADER);
                        bytes[at] = random.byte();
                    }
                }
                _ => {
                    bytes.truncate(HEADER);
                    bytes.extend((0..random.below(100)).map(|_| random.byte()).collect::<Vec<_>>());
                }
            }
            if let Ok(read) = schemas.decode::<R>(&bytes) {
                let again = schemas.encode("samples-value", &read).unwrap();
                assert_eq!(schemas.decode::<R>(&again), Ok(read), "what was read can be written and read again");
            }
        }
    }
    println!("seed {SEED}");
    for_each_record!(check);
}

fn written<R: Sample>() -> (Schemas, Vec<u8>) {
    let schemas = Schemas::local();
    let bytes = schemas.encode("samples-value", &R::full()).expect("a sample fits its schema");
    (schemas, bytes)
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("below a usize")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}
