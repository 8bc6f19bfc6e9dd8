//! Alerts in a hurry: every minute in them becomes a second, and Prometheus looks every second instead of every 15. Nothing
//! else is changed, so that what fires here fires there, only later.

/// The alerts with seconds for minutes.
pub fn alerts(text: &str) -> String {
    let mut hastened = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|character: char| character.is_ascii_digit()) {
        let begins = !rest[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let digits = rest[at..].find(|character: char| !character.is_ascii_digit()).map_or(rest.len(), |end| at + end);
        hastened += &rest[..digits];
        let after = &rest[digits..];
        let is_minutes =
            after.starts_with('m') && !after[1..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
        rest = if begins && is_minutes {
            hastened.push('s');
            &after[1..]
        } else {
            after
        };
    }
    hastened + rest
}

/// The settings with a look every second.
pub fn settings(text: &str) -> String {
    let interval = |line: &str| match line.split_once("_interval: ").or_else(|| line.split_once("_timeout: ")) {
        Some((before, _)) => {
            let kind = if line.contains("_interval") { "interval" } else { "timeout" };
            format!("{before}_{kind}: 1s\n")
        }
        None => format!("{line}\n"),
    };
    text.lines().map(interval).collect()
}

#[test]
fn minutes_become_seconds_and_nothing_else_changes() {
    let text = "increase(a_5m_total{le=\"5\"}[10m]) > 3 offset 5m\nfor: 1m\n# 5 minutes, 30s, 5ms";
    let hastened = "increase(a_5m_total{le=\"5\"}[10s]) > 3 offset 5s\nfor: 1s\n# 5 minutes, 30s, 5ms";
    assert_eq!(alerts(text), hastened);
}

#[test]
fn prometheus_looks_every_second() {
    let text = "global:\n  scrape_interval: 15s\n  scrape_timeout: 5s\nrule_files:\n";
    assert_eq!(settings(text), "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nrule_files:\n");
}
