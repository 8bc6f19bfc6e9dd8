use serde_json::Value;

use super::Range;

/// The values of a field at its boundaries.
#[derive(Debug, Default)]
pub struct Bounds {
    /// Each is taken, and told by the answer.
    pub inside: Vec<Taken>,
    /// Each is refused, and the field named.
    pub outside: Vec<Given>,
}

/// A value as the request and as the answer have it, in JSON.
#[derive(Debug)]
pub struct Taken {
    /// As the client writes it.
    pub given: Given,
    /// As the service writes it.
    pub told: String,
}

/// A value of the field in JSON, and the field with its value that it needs beside it, if any.
#[derive(Debug)]
pub struct Given {
    /// The value.
    pub json: String,
    /// The other field.
    pub beside: Option<(&'static str, String)>,
}

impl Bounds {
    /// 1 to 64 characters of `A–Z a–z 0–9 . _ ~ -`; the first and the last of each range, and their neighbours.
    pub fn ids() -> Self {
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
        Self::texts(&inside, &outside)
    }

    /// Codes of ISO 4217.
    pub fn currencies() -> Self {
        Self::texts(
            &["USD", "EUR", "JPY", "KWD", "CLF"],
            &["", "US", "USDD", "usd", "Usd", " USD", "U$D", "ＵＳＤ", "ZZZ"],
        )
    }

    /// Whole numbers without fraction or exponent; both ends of the range, and what is around nothing.
    pub fn whole_numbers(range: Range) -> Self {
        let inside = [range.least, range.least + 1, -1, 0, 1, range.greatest - 1, range.greatest]
            .map(|number| number.to_string());
        let mut outside = [range.least - 1, range.greatest + 1].map(|number| number.to_string()).to_vec();
        outside.extend(["1e99999", "1.0", "-0.5", "1e2"].map(str::to_string));
        Self {
            inside: inside.map(|json| Taken { told: json.clone(), given: plain(json) }).into(),
            outside: outside.into_iter().map(plain).collect(),
        }
    }

    /// The decimals of the currency and no more of them; the minor units in their range.
    pub fn amounts(range: Range) -> Self {
        let mut bounds = Self::default();
        for (currency, decimals) in [("JPY", 0), ("USD", 2), ("KWD", 3), ("CLF", 4)] {
            let amount = |json: String| Given { json, beside: Some(("currency", Value::from(currency).to_string())) };
            for minor in [range.least - 1, range.least, -1, 0, 1, range.greatest, range.greatest + 1] {
                let told = decimal(minor, decimals);
                if (range.least..=range.greatest).contains(&minor) {
                    bounds.inside.push(Taken { given: amount(told.clone()), told });
                } else {
                    bounds.outside.push(amount(told));
                }
            }
            bounds.outside.push(amount(decimal(1, decimals + 1)));
        }
        for (json, told) in [("5", "5.00"), ("5.000", "5.00"), ("1e2", "100.00"), ("500E-2", "5.00")] {
            bounds.inside.push(Taken { given: plain(json.to_string()), told: told.to_string() });
        }
        let nothing = plain("-0.0".to_string());
        if range.least <= 0 {
            bounds.inside.push(Taken { given: nothing, told: "0.00".to_string() });
        } else {
            bounds.outside.push(nothing);
        }
        bounds
            .outside
            .extend(["1e400", "-1e400", "1e-400", "1e99999999999999999999"].map(|json| plain(json.to_string())));
        bounds
    }

    /// These texts, each told as it was given.
    pub fn texts(inside: &[&str], outside: &[&str]) -> Self {
        let quoted = |text: &&str| Value::from(*text).to_string();
        Self {
            inside: inside.iter().map(quoted).map(|json| Taken { told: json.clone(), given: plain(json) }).collect(),
            outside: outside.iter().map(quoted).map(plain).collect(),
        }
    }
}

/// So many minor units as an amount with so many decimals.
fn decimal(minor: i128, decimals: usize) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

fn plain(json: String) -> Given {
    Given { json, beside: None }
}
