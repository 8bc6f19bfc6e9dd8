use iso_currency::Currency;
use rust_decimal::Decimal;

/// Reads an ISO 4217 code.
pub fn currency(code: &str) -> Result<Currency, String> {
    Currency::from_code(code).ok_or_else(|| "must be an ISO 4217 currency code such as USD".to_string())
}

/// The minor units in a decimal amount, exactly: no digit is rounded away.
pub fn minor_units(amount: &str, currency: Currency) -> Result<i64, String> {
    let digits = decimal_places(currency);
    let out_of_range = || "is too large".to_string();
    let amount = Decimal::from_str_exact(amount).or_else(|_| Decimal::from_scientific(amount));
    let amount = amount.map_err(|_| out_of_range())?.normalize();
    if amount.scale() > digits {
        return Err(format!("must have at most {digits} decimals, as {} has", currency.code()));
    }
    let minor = amount.checked_mul(Decimal::from(10_u32.pow(digits))).ok_or_else(out_of_range)?;
    i64::try_from(minor).map_err(|_| out_of_range())
}

/// The decimal amount of minor units, with all decimals the currency has.
pub fn amount(minor_units: i64, currency_code: &str) -> String {
    let digits = Currency::from_code(currency_code).map_or(2, decimal_places);
    Decimal::new(minor_units, digits).to_string()
}

fn decimal_places(currency: Currency) -> u32 {
    currency.exponent().map_or(0, u32::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minor(amount: &str, code: &str) -> Result<i64, String> {
        minor_units(amount, currency(code).unwrap())
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
        assert_eq!(minor("92233720368547758.07", "USD"), Ok(i64::MAX));
        assert_eq!(minor("-92233720368547758.08", "USD"), Ok(i64::MIN));
        assert_eq!(minor("7", "JPY"), Ok(7));
        assert_eq!(minor("7.125", "KWD"), Ok(7125));
    }

    #[test]
    fn an_amount_that_does_not_fit_is_refused() {
        for (amount, code) in [("5.001", "USD"), ("7.5", "JPY"), ("7.1255", "KWD"), ("1e-3", "USD")] {
            assert!(minor(amount, code).unwrap_err().contains("decimals"), "{amount} {code}");
        }
        for amount in ["92233720368547758.08", "1e20", "1e400", "99999999999999999999999999999999999"] {
            assert!(minor(amount, "USD").unwrap_err().contains("too large"), "{amount}");
        }
    }

    #[test]
    fn minor_units_are_written_with_the_decimals_of_the_currency() {
        assert_eq!(amount(500, "USD"), "5.00");
        assert_eq!(amount(-1, "USD"), "-0.01");
        assert_eq!(amount(7, "JPY"), "7");
        assert_eq!(amount(7125, "KWD"), "7.125");
        assert_eq!(amount(i64::MIN, "USD"), "-92233720368547758.08");
    }

    #[test]
    fn only_codes_of_iso_4217_are_currencies() {
        assert!(["usd", "US", "XXXX", ""].iter().all(|code| currency(code).is_err()));
    }
}
