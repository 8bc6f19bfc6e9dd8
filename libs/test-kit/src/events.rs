use std::time::Duration;

use anyhow::Context;
use avro_codec::{AvroRecord, Schemas};
use streams::{Topic, subject};

use crate::{RawRecord, Service, eventually};

/// By when a record that was written has become a dead letter, also on a busy machine.
const PUT_ASIDE_WITHIN: Duration = Duration::from_secs(60);

impl RawRecord {
    /// A record of the topic with this value.
    ///
    /// # Errors
    /// If the schemas have none for the topic.
    pub fn of<V: AvroRecord>(topic: &Topic<V>, schemas: &Schemas, value: &V) -> anyhow::Result<Self> {
        Ok(Self::new(topic.key(value), schemas.encode(&subject(topic.name()), value)?))
    }

    /// Records that no service can read, made from a good one, each with a word of the cause it is put aside for.
    pub fn unreadable(good: &Self) -> Vec<(Self, &'static str)> {
        let bytes = good.value.as_deref().unwrap_or_default();
        let of = |value: &[u8]| Self { value: Some(value.to_vec()), ..good.clone() };
        vec![
            (of(b"not Avro at all"), "decoded"),
            (of(&[&[0, 0x7f, 0xff, 0xff, 0xff], &bytes[5..]].concat()), "2147483647"),
            (of(&bytes[..bytes.len() - 1]), "decoded"),
            (Self { key: None, ..good.clone() }, "no key"),
            (Self { value: None, ..good.clone() }, "no value"),
        ]
    }
}

impl Service {
    /// The values of all committed records of one of its topics, each under the key the topic gives it.
    ///
    /// # Errors
    /// If there is no such topic, or a record in it has another value.
    ///
    /// # Panics
    /// If one has another key.
    pub fn values<V: AvroRecord>(&self, topic: &Topic<V>, schemas: &Schemas) -> anyhow::Result<Vec<V>> {
        let records = self.read_all(topic.name())?;
        let values = records.iter().map(|record| {
            let value: V = schemas.decode(record.value.as_deref().context("no value")?)?;
            assert_eq!(record.key_text(), topic.key(&value), "a record of {} bears the key of its value", topic.name());
            Ok(value)
        });
        values.collect()
    }

    /// Waits until these records are put aside, and no others: given as they were written, each with the topic and a word
    /// of the cause.
    ///
    /// # Panics
    /// If they are not, or not as they were.
    pub async fn assert_dead_letters(&self, written: &[(&str, RawRecord, &str)]) {
        let dead = eventually("all of them are dead letters", PUT_ASIDE_WITHIN, async || {
            self.dead_letters().ok().filter(|dead| dead.len() >= written.len())
        })
        .await;
        assert_eq!(dead.len(), written.len());
        for (topic, record, cause) in written {
            let coordinates = [self.topic(topic), record.partition.to_string(), record.offset.to_string()];
            let came_from = |letter: &&RawRecord| coordinates_of(letter) == coordinates;
            let letter = dead.iter().find(came_from);
            let letter = letter.unwrap_or_else(|| panic!("{coordinates:?} is missing in {dead:?}"));
            assert_eq!((&letter.key, &letter.value), (&record.key, &record.value), "the bytes are the original ones");
            assert!(text(letter, "dead-letter-cause").contains(cause), "{cause}: {letter:?}");
        }
    }
}

fn coordinates_of(letter: &RawRecord) -> [String; 3] {
    ["dead-letter-topic", "dead-letter-partition", "dead-letter-offset"].map(|name| text(letter, name))
}

fn text(letter: &RawRecord, header: &str) -> String {
    String::from_utf8_lossy(letter.header_value(header).unwrap_or_default()).into_owned()
}
