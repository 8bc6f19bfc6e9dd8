use std::time::Duration;

use service_kit::milliseconds;
use shared_schemas::money::Decimal;

/// Fails the orders of a customer who spends too much within a session of activity
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// What a customer's orders of one session must stay below, in units of their currency
    #[arg(long, env = "SPENDING_LIMIT", default_value = "2000.00", value_name = "AMOUNT", value_parser = limit)]
    pub spending_limit: Decimal,

    /// Milliseconds without an order after which a customer's session is over, in event time
    #[arg(long = "inactivity-gap-ms", env = "INACTIVITY_GAP_MS", default_value = "3600000", value_name = "MS")]
    #[arg(value_parser = milliseconds)]
    pub inactivity_gap: Duration,

    /// Milliseconds for which a session that is over still takes orders that are late, in event time
    #[arg(long = "grace-ms", env = "GRACE_MS", default_value = "86400000", value_name = "MS")]
    #[arg(value_parser = milliseconds)]
    pub grace: Duration,
}

fn limit(text: &str) -> Result<Decimal, String> {
    // A sum ends at what a `long` holds of the smallest minor unit there is; a limit beyond could not be reached.
    let highest = Decimal::new(i64::MAX, 4);
    match Decimal::from_str_exact(text) {
        Ok(limit) if limit > Decimal::ZERO && limit <= highest => Ok(limit),
        _ => Err(format!("an amount above 0 and up to {highest} is wanted, such as 2000.00")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_decimal_above_nothing_that_a_sum_can_reach() {
        for text in ["0.0001", "1", "2000.00", "922337203685477.5807"] {
            assert_eq!(limit(text).map(|limit| limit.to_string()), Ok(text.to_string()));
        }
        for text in ["", "0", "0.00", "-1", "922337203685477.5808", "2000,00", "2e3", "2000 USD", "NaN"] {
            assert!(limit(text).is_err(), "{text}");
        }
    }
}
