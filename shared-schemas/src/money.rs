//! What the minor units of an event are worth: as many of them make one as the currency has decimals.

use iso_currency::Currency;
pub use rust_decimal::Decimal;

/// How many decimals the amounts of a currency have, if ISO 4217 knows its code: 2 for USD, none for JPY, 3 for KWD.
pub fn decimals(currency: &str) -> Option<u32> {
    // What has no minor unit, such as gold, is counted in whole ones.
    Currency::from_code(currency).map(|currency| currency.exponent().map_or(0, u32::from))
}

/// The amount that so many minor units are, with all decimals the currency has; with two if nobody knows the currency.
pub fn amount(minor_units: i64, currency: &str) -> Decimal {
    Decimal::new(minor_units, decimals(currency).unwrap_or(2))
}

/// Reads an ISO 4217 code.
///
/// # Errors
/// Nobody knows the code.
pub fn currency(code: String) -> Result<String, String> {
    if decimals(&code).is_some() { Ok(code) } else { Err("must be an ISO 4217 currency code such as USD".to_string()) }
}

/// The minor units in a decimal amount, exactly: no digit is rounded away. The amount is written as a JSON number.
///
/// # Errors
/// They do not fit into 64 bits, or the amount has more decimals than the currency.
pub fn minor_units(amount: &str, currency: &str) -> Result<i64, String> {
    let decimals = decimals(currency).ok_or("is of no known currency")?;
    let too_large = || "is too large".to_string();
    let (number, exponent) = amount.split_once(['e', 'E']).unwrap_or((amount, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let is_negative = whole.starts_with('-');
    let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Ok(0);
    }
    // In minor units the amount is its digits with that many zeros behind, or with that many cut off.
    let exponent: i64 = exponent.parse().map_err(|_| too_large())?;
    let places = i64::try_from(fraction.len()).map_err(|_| too_large())?;
    let zeros =
        exponent.checked_sub(places).and_then(|shift| shift.checked_add(decimals.into())).ok_or_else(too_large)?;
    let minor = if zeros < 0 {
        let cut = usize::try_from(zeros.unsigned_abs()).unwrap_or(usize::MAX);
        let kept = digits.len().saturating_sub(cut);
        if digits[kept..].bytes().any(|digit| digit != b'0') {
            return Err(format!("must have at most {decimals} decimals, as {currency} has"));
        }
        digits[..kept].to_string()
    } else if zeros < 20 {
        format!("{digits}{}", "0".repeat(usize::try_from(zeros).unwrap_or(0)))
    } else {
        return Err(too_large());
    };
    let minor = if is_negative { format!("-{minor}") } else { minor };
    minor.parse().map_err(|_| too_large())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minor(amount: &str, code: &str) -> Result<i64, String> {
        minor_units(amount, &currency(code.to_string()).unwrap())
    }

    #[test]
    fn an_amount_keeps_every_digit() {
        assert_eq!(minor("5.00", "USD"), Ok(500));
        assert_eq!(minor("5", "USD"), Ok(500));
        assert_eq!(minor("0.1", "USD"), Ok(10));
        assert_eq!(minor("1e2", "USD"), Ok(10_000));
        assert_eq!(minor("5.000", "USD"), Ok(500), "zeros say nothing");
        assert_eq!(minor("-1.23", "USD"), Ok(-123));
        assert_eq!(minor("-0.0", "USD"), Ok(0));
        assert_eq!(minor("0e999999", "USD"), Ok(0));
        assert_eq!(minor("1.0000000000000000000000000000000000000000", "USD"), Ok(100));
        assert_eq!(minor("500e-2", "USD"), Ok(500));
        assert_eq!(minor("12.5E+1", "USD"), Ok(12_500));
        assert_eq!(minor("1500e-3", "USD"), Ok(150));
        assert_eq!(minor("92233720368547758.07", "USD"), Ok(i64::MAX));
        assert_eq!(minor("-92233720368547758.08", "USD"), Ok(i64::MIN));
        assert_eq!(minor("7", "JPY"), Ok(7));
        assert_eq!(minor("7.125", "KWD"), Ok(7125));
    }

    #[test]
    fn an_amount_that_does_not_fit_is_refused() {
        let too_fine = [
            ("5.001", "USD"),
            ("7.5", "JPY"),
            ("7.1255", "KWD"),
            ("1e-3", "USD"),
            ("1e-35", "USD"),
            ("1.999999999999999999999999999999999999999999e0", "USD"),
            ("1.000000000000000000000000000000000000001", "USD"),
        ];
        for (amount, code) in too_fine {
            assert!(minor(amount, code).unwrap_err().contains("decimals"), "{amount} {code}");
        }
        for amount in [
            "92233720368547758.08",
            "-92233720368547758.09",
            "1e20",
            "1e99999999999999999999",
            "1e400",
            "99999999999999999999999999999999999",
        ] {
            assert!(minor(amount, "USD").unwrap_err().contains("too large"), "{amount}");
        }
    }

    #[test]
    fn only_codes_of_iso_4217_are_currencies() {
        assert!(["usd", "US", "XXXX", ""].iter().all(|code| currency(code.to_string()).is_err()));
    }

    #[test]
    fn each_currency_has_decimals_of_its_own() {
        let known = [("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("XAU", 0)];
        for (currency, expected) in known {
            assert_eq!(decimals(currency), Some(expected), "{currency}");
        }
    }

    #[test]
    fn minor_units_are_written_with_the_decimals_of_the_currency() {
        assert_eq!(amount(500, "USD").to_string(), "5.00");
        assert_eq!(amount(-1, "USD").to_string(), "-0.01");
        assert_eq!(amount(7, "JPY").to_string(), "7");
        assert_eq!(amount(7125, "KWD").to_string(), "7.125");
        assert_eq!(amount(500, "?").to_string(), "5.00");
        assert_eq!(amount(i64::MIN, "USD").to_string(), "-92233720368547758.08");
    }

    #[test]
    fn amounts_compare_by_their_worth() {
        let five: Decimal = "5.00".parse().unwrap();
        assert_eq!([amount(500, "USD"), amount(5, "JPY"), amount(5000, "KWD")], [five; 3]);
        assert!(amount(499, "USD") < five && amount(4999, "KWD") < five && amount(501, "USD") > five);
    }
}
