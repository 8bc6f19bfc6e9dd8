use service_kit::Counter;
use shared_schemas::{
    CUSTOMERS, CustomerLevel, EMAIL_OUTBOX, ORDERS, ORDERS_BRONZE, ORDERS_GOLD, ORDERS_PLATINUM, ORDERS_SILVER, Order,
    OrderState, PAYMENTS,
};
use streams::{Clock, JoinWindow, Joined, Store, Stream, Topology};

use crate::domain::{self, Addressed, Heard, Mailing, Waiting};
use crate::options::Options;

/// What was done about each order, by its id, for as long as a payment can still meet it.
pub const MAILINGS: Store<Mailing> = Store::new("mailings");

/// Orders whose customer is not known yet, by their ids.
pub const WAITING: Store<Waiting> = Store::new("waiting");

/// Nobody has to pay: an order without a payment is no fault.
static UNPAID: Counter = Counter::new("email_unpaid_orders", "Validated orders that nobody paid for in time");

static UNDERPAID: Counter =
    Counter::new("email_underpaid_orders", "Validated orders whose payments did not come to their price in time");

/// Why a record is given up.
pub const NO_ORDER: &str = "no validated order within the payment window";
pub const NO_CUSTOMER: &str = "the customer is unknown";

/// Hears of orders, payments and customers; says which mails are due, and of each confirmed order what level its customer
/// has.
pub fn topology(options: &Options) -> Topology {
    let topology = Topology::new("email");
    let due = due(&topology, options);
    let addressed = addressed(&topology, options, due);
    addressed.clone().map(|order| domain::mail(order.value)).to(&EMAIL_OUTBOX);
    addressed.flat_map(|order| domain::enriched(order.value)).route(
        &[
            (CustomerLevel::Platinum, &ORDERS_PLATINUM),
            (CustomerLevel::Gold, &ORDERS_GOLD),
            (CustomerLevel::Silver, &ORDERS_SILVER),
            (CustomerLevel::Bronze, &ORDERS_BRONZE),
        ],
        |order| order.customer_level,
    );
    topology
}

/// The orders about which a mail is due, each once.
fn due<'t>(topology: &'t Topology, options: &Options) -> Stream<'t, Order> {
    let failed = topology.stream(&ORDERS).filter(|order| order.state == OrderState::Failed);
    let validated = topology.stream(&ORDERS).filter(|order| order.state == OrderState::Validated);
    let free = validated.clone().filter(|order| domain::price_minor(order.value) == 0);
    let validated = validated.filter(|order| domain::price_minor(order.value) != 0);
    let payments = topology.stream(&PAYMENTS).rekey("by-order", |payment| payment.order_id.clone());
    let window = JoinWindow { within: options.payment_window, grace: options.grace };
    let joined = validated.outer_join("paid", payments, window);

    joined
        .clone()
        .flat_map(|joined| if let Joined::Right(payment) = joined.value { Some(payment.clone()) } else { None })
        .to_dead_letters(|_| NO_ORDER);
    let paid = joined.flat_map(|joined| match joined.value {
        Joined::Both(order, payment) => Some(Heard::Paid(order.clone(), payment.clone())),
        Joined::Left(_) => {
            UNPAID.add(1);
            None
        }
        Joined::Right(_) => None,
    });

    // An order, a payment as late as it may be for it, and that in turn as late as it may come.
    let kept = 2 * options.payment_window + options.grace;
    topology.timer(&MAILINGS, Clock::Stream, kept, |mailing| Some(mailing.heard_at)).for_each(
        &MAILINGS,
        |old, mailings| {
            if !old.value.is_mailed {
                UNDERPAID.add(1);
            }
            mailings.delete(old.key);
        },
    );
    let told = failed.map(|order| Heard::Failed(order.value.clone()));
    let free = free.map(|order| Heard::Free(order.value.clone()));
    paid.merge(told).merge(free).process(&MAILINGS, |heard, mailings| {
        let mut mailing = mailings.get(heard.key).unwrap_or_default();
        let due = domain::hear(&mut mailing, heard.value, heard.timestamp);
        mailings.put(heard.key, &mailing);
        due
    })
}

/// The same orders with their customers, who are waited for.
fn addressed<'t>(topology: &'t Topology, options: &Options, due: Stream<'t, Order>) -> Stream<'t, Addressed> {
    let customers = topology.global_table(&CUSTOMERS);
    let at_once = due.process(&(customers.clone(), WAITING), |order, (customers, waiting)| {
        let (order, due_at) = (order.value, order.timestamp);
        let customer = customers.get(&order.customer_id.to_string());
        if customer.is_none() {
            waiting.put(&order.id, &Waiting::new(order, due_at));
        }
        customer.map(|customer| Addressed { order: order.clone(), customer, due_at })
    });

    let interval = options.customer_wait / domain::LOOKUPS.unsigned_abs();
    let looked_up = topology.timer(&WAITING, Clock::Wall, interval, |order| Some(order.looked_up_at)).process(
        &(customers, WAITING),
        |known, (customers, waiting)| {
            let Waiting { order, due_at, .. } = known.value;
            match (customers.get(&order.customer_id.to_string()), known.again(known.timestamp)) {
                (Some(customer), _) => {
                    waiting.delete(known.key);
                    Some(Ok(Addressed { order: order.clone(), customer, due_at: *due_at }))
                }
                (None, Some(again)) => {
                    waiting.put(known.key, &again);
                    None
                }
                (None, None) => {
                    waiting.delete(known.key);
                    Some(Err(order.clone()))
                }
            }
        },
    );
    looked_up.clone().flat_map(|order| order.value.clone().err()).to_dead_letters(|_| NO_CUSTOMER);
    at_once.merge(looked_up.flat_map(|order| order.value.clone().ok()))
}

#[cfg(test)]
mod tests;
