use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};

/// A record as it is on the broker: bytes, and nothing understood of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRecord {
    /// Where it is; of a record to be written, where it is to go, [`ANY_PARTITION`](Self::ANY_PARTITION) being the choice
    /// of the partitioner (murmur2 of the key).
    pub partition: i32,
    /// Its position; of a record to be written without meaning.
    pub offset: i64,
    /// The key, if it has one.
    pub key: Option<Vec<u8>>,
    /// The value, or a tombstone.
    pub value: Option<Vec<u8>>,
    /// Header names and values, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since 1970 in UTC; of a record to be written, now if it has none.
    pub timestamp_ms: Option<i64>,
}

impl RawRecord {
    /// Leaves the choice of the partition to the partitioner.
    pub const ANY_PARTITION: i32 = -1;

    /// A record to be written.
    pub fn new(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            partition: Self::ANY_PARTITION,
            offset: 0,
            key: Some(key.into()),
            value: Some(value.into()),
            headers: Vec::new(),
            timestamp_ms: None,
        }
    }

    /// Sends it to this partition, whatever its key.
    #[must_use]
    pub fn to_partition(mut self, partition: i32) -> Self {
        self.partition = partition;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    /// Gives it an event time, in milliseconds since 1970 in UTC.
    #[must_use]
    pub fn at_ms(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }

    /// The key as text.
    ///
    /// # Panics
    /// If it has none, or it is not UTF-8.
    pub fn key_text(&self) -> &str {
        let key = self.key.as_deref().expect("the record has a key");
        std::str::from_utf8(key).expect("the key is UTF-8")
    }

    /// The value of the first header of that name.
    pub fn header_value(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| known == name)?.1.as_deref()
    }

    pub(crate) fn from_message(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map(|headers| {
            headers.iter().map(|header| (header.key.to_string(), header.value.map(<[u8]>::to_vec))).collect()
        });
        Self {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
            timestamp_ms: message.timestamp().to_millis(),
        }
    }

    pub(crate) fn owned_headers(&self) -> OwnedHeaders {
        self.headers.iter().fold(OwnedHeaders::new_with_capacity(self.headers.len()), |headers, (key, value)| {
            headers.insert(Header { key, value: value.as_ref() })
        })
    }
}
