use serde_json::Value;

use super::fields::{Field, Range, Shape};

/// The values of a field at its boundaries.
#[derive(Default)]
pub struct Bounds {
    /// Each is taken and told by the order.
    pub inside: Vec<Taken>,
    /// Each is refused, and the field named.
    pub outside: Vec<Given>,
}

/// A value as the request and as the order have it, in JSON.
pub struct Taken {
    pub given: Given,
    pub told: String,
}

/// A value of the field in JSON, and the currency it comes with if it matters.
pub struct Given {
    pub json: String,
    pub currency: Option<&'static str>,
}

/// What is known of a field beyond its type. The type alone does not tell what a value means, so each field is listed.
pub fn bounds(field: &Field) -> Result<Bounds, String> {
    match (field.name.as_str(), field.shape) {
        ("id", Shape::Text) => Ok(ids()),
        ("customerId" | "quantity", Shape::Whole(range)) => Ok(whole_numbers(range)),
        ("product", Shape::Text) => Ok(names()),
        ("price", Shape::Decimal(range)) => Ok(amounts(range)),
        ("currency", Shape::Text) => Ok(currencies()),
        (name, _) => Err(format!(
            "`{name}` has no cases: say in faults/bounds.rs which of its values are taken and which are refused"
        )),
    }
}

/// 1 to 64 characters of `A–Z a–z 0–9 . _ ~ -`; the first and the last of each range, and their neighbours.
fn ids() -> Bounds {
    let longest = "x".repeat(64);
    let inside = ["A", "Z", "a", "z", "0", "9", "_", "~", "-", "...", ".a", longest.as_str()];
    let too_long = "x".repeat(65);
    let outside = [
        "",
        ".",
        "..",
        "@",
        "[",
        "`",
        "{",
        "/",
        ":",
        ",",
        "^",
        "}",
        "\u{7f}",
        "\0",
        " ",
        "a ",
        "a\n",
        "a/b",
        "a%2Fb",
        "ü",
        "А",
        "😀",
        too_long.as_str(),
    ];
    texts(&inside, &outside)
}

/// A product may be called anything: whether there is one is not for the gateway to say.
fn names() -> Bounds {
    let longest = "x".repeat(60_000);
    texts(&["", " ", "\0", "\"\\", "null", "ü😀\u{10ffff}", longest.as_str()], &[])
}

fn currencies() -> Bounds {
    texts(&["USD", "EUR", "JPY", "KWD", "CLF"], &["", "US", "USDD", "usd", "Usd", " USD", "U$D", "ＵＳＤ", "ZZZ"])
}

fn whole_numbers(range: Range) -> Bounds {
    let inside =
        [range.least, range.least + 1, -1, 0, 1, range.greatest - 1, range.greatest].map(|number| number.to_string());
    let mut outside = [range.least - 1, range.greatest + 1].map(|number| number.to_string()).to_vec();
    outside.extend(["1e99999", "1.0", "-0.5", "1e2"].map(str::to_string));
    Bounds {
        inside: inside.map(|json| Taken { told: json.clone(), given: plain(json) }).into(),
        outside: outside.into_iter().map(plain).collect(),
    }
}

/// The decimals of the currency and no more of them; the minor units in their range.
fn amounts(range: Range) -> Bounds {
    let mut bounds = Bounds::default();
    for (currency, decimals) in [("JPY", 0), ("USD", 2), ("KWD", 3), ("CLF", 4)] {
        let amount = |json: String| Given { json, currency: Some(currency) };
        for minor in [range.least, -1, 0, 1, range.greatest] {
            let told = decimal(minor, decimals);
            bounds.inside.push(Taken { given: amount(told.clone()), told });
        }
        let finer = decimal(1, decimals + 1);
        let too_large = [range.least - 1, range.greatest + 1].map(|minor| decimal(minor, decimals));
        bounds.outside.extend(too_large.into_iter().chain([finer]).map(amount));
    }
    for (json, told) in [("5", "5.00"), ("5.000", "5.00"), ("1e2", "100.00"), ("500E-2", "5.00"), ("-0.0", "0.00")] {
        bounds.inside.push(Taken { given: plain(json.to_string()), told: told.to_string() });
    }
    bounds.outside.extend(["1e400", "-1e400", "1e-400", "1e99999999999999999999"].map(|json| plain(json.to_string())));
    bounds
}

/// So many minor units as an amount with so many decimals.
fn decimal(minor: i128, decimals: usize) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

fn texts(inside: &[&str], outside: &[&str]) -> Bounds {
    let quoted = |text: &&str| Value::from(*text).to_string();
    Bounds {
        inside: inside.iter().map(quoted).map(|json| Taken { told: json.clone(), given: plain(json) }).collect(),
        outside: outside.iter().map(quoted).map(plain).collect(),
    }
}

fn plain(json: String) -> Given {
    Given { json, currency: None }
}
