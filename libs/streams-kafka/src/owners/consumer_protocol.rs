//! What the members of a group tell its leader, and the leader them: bytes that the broker passes on unread
//! (`ConsumerProtocolSubscription.json` and `ConsumerProtocolAssignment.json` of Apache Kafka). Anybody who may join the
//! group may write them, so nothing in them is trusted.

/// The rack of a member, from its subscription: fields up to it are skipped, those that later versions add ignored.
pub(crate) fn rack(subscription: &[u8]) -> Option<String> {
    let mut fields = Fields(subscription);
    if fields.int16()? < 3 {
        return None;
    }
    fields.list(Fields::string)?;
    fields.nullable_bytes()?;
    fields.list(|owned| owned.string().zip(owned.list(Fields::int32)))?;
    let _generation = fields.int32()?;
    fields.string()
}

/// The partitions a member was given, with their topics.
pub(crate) fn partitions(assignment: &[u8]) -> Option<Vec<(String, i32)>> {
    let mut fields = Fields(assignment);
    let _version = fields.int16()?;
    let topics = fields.list(|assigned| assigned.string().zip(assigned.list(Fields::int32)))?;
    let with_topic = |(topic, partitions): (String, Vec<i32>)| {
        partitions.into_iter().map(move |partition| (topic.clone(), partition)).collect::<Vec<_>>()
    };
    Some(topics.into_iter().flat_map(with_topic).collect())
}

/// What has not been read yet.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn int16(&mut self) -> Option<i16> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i16::from_be_bytes(*bytes))
    }

    fn int32(&mut self) -> Option<i32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(i32::from_be_bytes(*bytes))
    }

    fn string(&mut self) -> Option<String> {
        let length = usize::try_from(self.int16()?).ok()?;
        String::from_utf8(self.bytes(length)?.to_vec()).ok()
    }

    fn nullable_bytes(&mut self) -> Option<&'a [u8]> {
        match self.int32()? {
            -1 => Some(&[]),
            length => self.bytes(usize::try_from(length).ok()?),
        }
    }

    /// The announced count is not believed: what is not there ends the list, and everything.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = u32::try_from(self.int32()?).ok()?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Some(items)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As librdkafka 2.12 writes them for the topics `t1` and `t2`, of which a member has two partitions each.
    const SUBSCRIPTION: &[u8] = b"\0\x03\0\0\0\x02\0\x02t1\0\x02t2\0\0\0\0\0\0\0\0\xff\xff\xff\xff\0\x08http://b";
    const ASSIGNMENT: &[u8] =
        b"\0\0\0\0\0\x02\0\x02t1\0\0\0\x02\0\0\0\x02\0\0\0\x03\0\x02t2\0\0\0\x02\0\0\0\x02\0\0\0\x03\0\0\0\0";

    #[test]
    fn what_a_client_writes_is_read() {
        assert_eq!(rack(SUBSCRIPTION).as_deref(), Some("http://b"));
        let expected = [("t1", 2), ("t1", 3), ("t2", 2), ("t2", 3)].map(|(topic, at)| (topic.to_string(), at));
        assert_eq!(partitions(ASSIGNMENT), Some(expected.to_vec()));
    }

    #[test]
    fn a_member_that_owned_something_and_has_user_data_is_read_too() {
        let owned = b"\0\x03\0\0\0\x01\0\x02t1\0\0\0\x03abc\0\0\0\x01\0\x02t1\0\0\0\x01\0\0\0\x07\0\0\0\x05\0\x01r";
        assert_eq!(rack(owned).as_deref(), Some("r"));
        let null_user_data = b"\0\x04\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\x05\0\x01rwhatever comes later";
        assert_eq!(rack(null_user_data).as_deref(), Some("r"));
    }

    #[test]
    fn a_member_without_a_rack_has_none() {
        assert_eq!(rack(b"\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff"), None);
        assert_eq!(rack(b"\0\x01\0\0\0\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(partitions(b"\0\0\0\0\0\0\0\0\0\0"), Some(Vec::new()));
    }

    #[test]
    fn bytes_that_break_off_or_lie_about_their_length_are_refused() {
        for length in 0..SUBSCRIPTION.len() {
            assert_eq!(rack(&SUBSCRIPTION[..length]), None, "{length} bytes");
        }
        // What follows the topics is not needed.
        for length in 0..ASSIGNMENT.len() - 4 {
            assert_eq!(partitions(&ASSIGNMENT[..length]), None, "{length} bytes");
        }
        for lie in [
            &b"\0\0\x7f\xff\xff\xff"[..],
            b"\0\0\xff\xff\xff\xff",
            b"\0\0\0\0\0\x01\xff\xff",
            b"\0\0\0\0\0\x01\x7f\xff",
        ] {
            assert_eq!(partitions(lie), None, "{lie:?}");
        }
        assert_eq!(partitions(b"\0\0\0\0\0\x01\0\x01\xff\0\0\0\0"), None, "a name that is not UTF-8");
    }
}
