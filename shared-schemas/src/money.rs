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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_currency_has_decimals_of_its_own() {
        let known = [("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("XAU", 0)];
        for (currency, expected) in known {
            assert_eq!(decimals(currency), Some(expected), "{currency}");
        }
    }

    #[test]
    fn only_codes_of_iso_4217_are_currencies() {
        assert!(["usd", "US", "XXXX", ""].iter().all(|code| decimals(code).is_none()));
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
