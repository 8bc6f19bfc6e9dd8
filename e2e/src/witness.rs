#![expect(clippy::disallowed_methods, reason = "what was asked after what is told by the clock")]

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::StatusCode;

use crate::client::{Answer, NewOrder, OrdersClient};
use crate::readings::{Reading, Shown};

/// Puts questions and keeps what was shown in answer, for when the log is complete.
#[derive(Debug, Default)]
pub struct Witness {
    readings: Mutex<Vec<Reading>>,
}

/// One of the reads of an order, with the time it may wait; none asks how it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Order(Duration),
    Verdict(Duration),
}

impl Witness {
    /// Asks for an order.
    ///
    /// # Errors
    /// If there is no answer, or one that shows an order and no order is in it.
    pub async fn ask(&self, client: &OrdersClient, id: &str, question: Question) -> anyhow::Result<Answer> {
        let asked_at = Instant::now();
        let (answer, absence) = match question {
            Question::Order(timeout) => (client.get_within(id, timeout).await?, Shown::NoOrder),
            Question::Verdict(timeout) => (client.get_validated(id, timeout).await?, Shown::NoVerdict),
        };
        match answer.status {
            StatusCode::OK => self.keep(id, asked_at, Shown::Order(Box::new(answer.order()?))),
            StatusCode::NOT_FOUND => self.keep(id, asked_at, absence),
            // Such an answer shows nothing.
            _ => {}
        }
        Ok(answer)
    }

    /// Places an order until it is acknowledged, as [`OrdersClient::place_until_acknowledged`].
    ///
    /// # Errors
    /// If the acknowledgement shows an order and no order is in it.
    pub async fn place(&self, client: &OrdersClient, order: &NewOrder, within: Duration) -> anyhow::Result<()> {
        let asked_at = Instant::now();
        let answer = client.place_until_acknowledged(order, within).await;
        if answer.status == StatusCode::CREATED {
            self.keep(&order.id, asked_at, Shown::Order(Box::new(answer.order()?)));
        }
        Ok(())
    }

    /// All that was shown so far.
    pub fn readings(&self) -> Vec<Reading> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, id: &str, asked_at: Instant, shown: Shown) {
        let reading = Reading { id: id.to_string(), asked_at, answered_at: Instant::now(), shown };
        self.readings.lock().unwrap_or_else(PoisonError::into_inner).push(reading);
    }
}
