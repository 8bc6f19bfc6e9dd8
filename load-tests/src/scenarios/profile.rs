use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use shared_schemas::{ORDER_REQUESTS, ORDERS, order_validations};

use crate::appetite::Appetite;
use crate::bare::{Seen, Watch};
use crate::commits::Moment;
use crate::ground::Ground;
use crate::latencies::median;
use crate::pace::Pace;
use crate::report::{Figure, Outcome, Report};
use crate::shop::Journey;

const PACES: [Pace; 2] = [Pace { per_second: 10, starts: 200 }, Pace { per_second: 100, starts: 1000 }];
/// The checks, each with whether orders are sent to where their customer or product is known first.
const CHECKS: [(&str, bool); 3] = [("order-details", false), ("fraud", true), ("inventory", true)];

/// When the records were made that follow from one order, in milliseconds since the clock began. A record is made when
/// its writer has read what it follows from; then it is committed, and read by the next.
#[derive(Default)]
struct Trail {
    /// The gateway has read the request.
    requested: Option<f64>,
    /// CREATED and the verdict.
    versions: Vec<f64>,
    /// By check: the order under another key, if there is one.
    sent: BTreeMap<&'static str, f64>,
    /// By check: its verdict.
    judged: BTreeMap<&'static str, f64>,
}

/// Steps in their order, each with its durations in milliseconds; and which check was the last, for each order.
#[derive(Default)]
struct Steps {
    durations: Vec<(String, Vec<f64>)>,
    last: BTreeMap<&'static str, usize>,
}

/// Follows the records of orders, and takes the time of every step.
pub(crate) fn run(ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    ground.warm_up_orders("profile")?;
    for pace in PACES {
        let rate = pace.per_second;
        let clock = Clock::now()?;
        let before = Moment::of(ground)?;
        let watch = Watch::start(&ground.bootstrap, is_passed_on)?;
        let used_before = Appetite::so_far(ground)?;
        let journeys = ground.shop.journeys(pace, &format!("profile-{rate}"), &ground.interrupt)?;
        let used = Appetite::so_far(ground)?.per_order_since(&used_before, pace.starts);
        let after = Moment::of(ground)?;
        let trails = trails(&watch.stop()?, &clock);
        let mut steps = Steps::default();
        for journey in &journeys {
            let trail = trails.get(&journey.id).context("every order leaves a trail")?;
            steps.follow(journey, trail, &clock).with_context(|| format!("the trail of {} is torn", journey.id))?;
        }
        steps.report(rate, report);
        report.add(Figure::processor_time(&format!("at {rate}/s"), &used));
        // Who has nothing to do with orders is there as well, and has committed nothing.
        for (service, commits) in before.until(&after).filter(|(_, commits)| commits.durations.count() > 0.0) {
            let per_order = commits.durations.count() / f64::from(pace.starts);
            report.add(Figure {
                what: format!("at {rate}/s: a commit of {service}"),
                bar: String::new(),
                value: format!("{:.1} ms", commits.durations.median()? * 1000.0),
                beside: format!("mean {:.1} ms; {per_order:.1} an order", commits.mean_ms),
                outcome: Outcome::Told,
            });
        }
    }
    Ok(())
}

impl Steps {
    /// Adds the steps of an order; none if one of its records is missing.
    fn follow(&mut self, journey: &Journey, trail: &Trail, clock: &Clock) -> Option<()> {
        let [created, decided] = trail.versions[..] else { return None };
        let [intended, placed, answered] = [journey.intended, journey.placed?, journey.verdict?].map(|at| clock.at(at));
        let requested = trail.requested?;
        self.add("POST → its body is read by orders", requested - intended);
        self.add("→ journaled, read back, CREATED", created - requested);
        self.add("(beside the rest: CREATED → committed, 201 is read)", placed - created);
        for (check, is_sent) in CHECKS {
            let judged = *trail.judged.get(check)?;
            let mut heard = created;
            if is_sent {
                heard = *trail.sent.get(check)?;
                self.add(&format!("CREATED → committed, read by {check}, sent on"), heard - created);
                self.add(&format!("→ committed, read by {check}, judged"), judged - heard);
            } else {
                self.add(&format!("CREATED → committed, read by {check}, judged"), judged - heard);
            }
        }
        let (last, judged) = trail.judged.iter().max_by(|(_, one), (_, other)| one.total_cmp(other))?;
        *self.last.entry(last).or_default() += 1;
        self.add("CREATED → the last is judged", judged - created);
        self.add("→ committed, read by orders, decided", decided - judged);
        self.add("→ committed, the answer is read", answered - decided);
        self.add("all of it", answered - intended);
        Some(())
    }

    fn add(&mut self, what: &str, duration: f64) {
        match self.durations.iter_mut().find(|(known, _)| known == what) {
            Some((_, durations)) => durations.push(duration),
            None => self.durations.push((what.to_string(), vec![duration])),
        }
    }

    fn report(self, rate: u32, report: &mut Report) {
        for (what, durations) in self.durations {
            report.add(Figure {
                what: format!("at {rate}/s: {what}"),
                bar: String::new(),
                value: format!("{:.1} ms", median(durations)),
                beside: String::new(),
                outcome: Outcome::Told,
            });
        }
        let last: Vec<String> = self.last.iter().map(|(check, orders)| format!("{check} {orders}")).collect();
        report.add(Figure {
            what: format!("at {rate}/s: orders of which a check is the last to judge"),
            bar: String::new(),
            value: last.join(", "),
            beside: String::new(),
            outcome: Outcome::Told,
        });
    }
}

/// Whether somebody follows from the records of a topic, live.
fn is_passed_on(topic: &str) -> bool {
    let is_event = |name: &str| topic == name;
    is_event(ORDER_REQUESTS.name())
        || is_event(ORDERS.name())
        || CHECKS.iter().any(|(check, _)| is_event(order_validations(check).name()) || is_sent(check, topic))
}

/// Whether a check sends orders on through a topic.
fn is_sent(check: &str, topic: &str) -> bool {
    topic.starts_with(check) && topic.ends_with("-repartition")
}

/// The trails by order id. A record under another key than the order's is known by the trace it belongs to.
fn trails(seen: &[Seen], clock: &Clock) -> BTreeMap<String, Trail> {
    let requests = || seen.iter().filter(|record| record.topic == ORDER_REQUESTS.name());
    let traces: BTreeMap<&str, &str> = requests().filter_map(|it| Some((it.trace.as_deref()?, &*it.key))).collect();
    let mut trails: BTreeMap<String, Trail> =
        requests().map(|request| (request.key.clone(), Trail::default())).collect();
    for record in seen {
        let Some(made) = clock.made(record) else { continue };
        let order = record.trace.as_deref().and_then(|trace| traces.get(trace));
        let Some(trail) = order.and_then(|order| trails.get_mut(*order)) else { continue };
        if record.topic == ORDER_REQUESTS.name() {
            trail.requested = Some(made);
        } else if record.topic == ORDERS.name() {
            trail.versions.push(made);
        }
        for (check, _) in CHECKS {
            if record.topic == order_validations(check).name() {
                trail.judged.insert(check, made);
            } else if is_sent(check, &record.topic) {
                trail.sent.insert(check, made);
            }
        }
    }
    trails
}

/// One moment by both clocks, so that what one says can be told in the words of the other.
struct Clock {
    began: Instant,
    began_ms: f64,
}

impl Clock {
    fn now() -> anyhow::Result<Self> {
        let (began, wall) = (Instant::now(), SystemTime::now());
        Ok(Self { began, began_ms: wall.duration_since(UNIX_EPOCH)?.as_secs_f64() * 1000.0 })
    }

    fn at(&self, moment: Instant) -> f64 {
        (moment - self.began).as_secs_f64() * 1000.0
    }

    /// When a record was made; an entry of a changelog does not say.
    fn made(&self, record: &Seen) -> Option<f64> {
        // Half of the millisecond that was cut off is added.
        Some(record.processed_at_ms? as f64 + 0.5 - self.began_ms)
    }
}
