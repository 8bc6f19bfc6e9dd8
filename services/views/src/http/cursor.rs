//! Where a list goes on: behind a moment and an id, written so that nobody takes it apart.

use service_kit::http::{Parameters, Problem};

/// The place behind an entry with this moment and id.
pub fn behind(ms: i64, id: &str) -> String {
    format!("{ms}.{id}").bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The parameter `after`, which is what [`behind`] has written.
///
/// # Errors
/// 400 where it is anything else.
pub fn after(parameters: &Parameters) -> Result<Option<(i64, String)>, Problem> {
    let Some(text) = parameters.text("after")? else { return Ok(None) };
    let place = read(text).ok_or_else(|| Problem::invalid_parameter("after", "must be the `next` of a list"))?;
    Ok(Some(place))
}

fn read(text: &str) -> Option<(i64, String)> {
    let digits: Vec<u8> = text.chars().map(|digit| Some(digit.to_digit(16)? as u8)).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks();
    let bytes = pairs.iter().map(|[high, low]| 16 * high + low).collect();
    let text = String::from_utf8(bytes).ok().filter(|_| rest.is_empty())?;
    let (ms, id) = text.split_once('.')?;
    // The database knows no such text.
    Some((ms.parse().ok()?, id.to_string())).filter(|(_, id)| !id.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for (ms, id) in [(1_700_000_000_000, "a.b-c_~"), (-1, ""), (i64::MIN, "Ångström"), (i64::MAX, "😀")] {
            assert_eq!(read(&behind(ms, id)), Some((ms, id.to_string())));
        }
    }

    #[test]
    fn anything_else_is_no_place() {
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        for text in
            ["", "3", "zz", "31", "ü", &hex("x.a"), &hex("1"), &hex("1.\0"), "312eff", &hex("99999999999999999999.a")]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
