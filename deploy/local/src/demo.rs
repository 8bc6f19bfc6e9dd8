use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use local::{Addresses, Interrupt, Part, Stack};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::claim::{Claim, Holder};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Leave a part out, a service with all its instances, and say how to start it by hand; may be repeated.
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    without: Vec<String>,
    /// Start only these parts and what they need; may be repeated.
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<String>,
    /// Start what looks at all the others, too: Prometheus, the OpenTelemetry Collector and a trace store.
    #[arg(long)]
    observe: bool,
    /// Have a part listen on another port, 0 for any that is free; may be repeated.
    #[arg(long, value_name = "PART=PORT", env = "MILLRACE_PORTS", value_delimiter = ',', value_parser = port)]
    port: Vec<(String, u16)>,
    /// Take free ports instead of those of the demo, where no other is asked for.
    #[arg(long)]
    free_ports: bool,
    /// Where the addresses are written, as shell variables.
    #[arg(long, value_name = "FILE", default_value_os_t = default_env_file())]
    env_file: PathBuf,
}

pub(crate) fn default_env_file() -> PathBuf {
    local::workspace().join("target/demo.env")
}

fn port(text: &str) -> Result<(String, u16), String> {
    let (part, port) = text.split_once('=').ok_or("expected PART=PORT")?;
    Ok((part.to_string(), port.parse().map_err(|error| format!("{port}: {error}"))?))
}

/// Starts the demo and stays with it until it is asked to end.
pub(crate) fn up(options: Options) -> anyhow::Result<()> {
    let interrupt = Interrupt::on_signals()?;
    if let Some(directory) = options.env_file.parent() {
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let claim = Claim::take(&pid_file(&options.env_file))?;
    let mut builder = Stack::builder().progress().interrupt(interrupt.clone());
    if !options.free_ports {
        builder = builder.demo_ports();
    }
    builder = builder.remove_at_end([options.env_file.clone(), claim.path().to_path_buf()]);
    if !options.only.is_empty() {
        builder = builder.only(options.only);
    }
    if options.observe {
        builder = builder.observed();
    }
    builder = options.without.iter().fold(builder, |builder, name| builder.without(name).without_service(name));
    builder = options.port.into_iter().fold(builder, |builder, (part, port)| builder.port(part, port));
    let stack = builder.start()?;
    fs::write(&options.env_file, stack.addresses().as_shell())
        .with_context(|| format!("cannot write {}", options.env_file.display()))?;
    say(&welcome(&stack, &options.env_file)?);
    watch(&stack, &interrupt)?;
    say("ending\n");
    stack.stop();
    Ok(())
}

/// Ends a running demo.
pub(crate) fn down(env_file: &Path) -> anyhow::Result<()> {
    // Longer than its parts are given, one after the other.
    const WITHIN: Duration = Duration::from_secs(180);
    let Some(holder) = Holder::find(&pid_file(env_file))? else {
        say("no demo is running\n");
        return Ok(());
    };
    kill(Pid::from_raw(holder.pid), Signal::SIGTERM).with_context(|| format!("cannot end process {}", holder.pid))?;
    ensure!(holder.wait_gone(WITHIN)?, "the demo (process {}) has not ended within {WITHIN:?}", holder.pid);
    say("the demo has ended\n");
    Ok(())
}

fn pid_file(env_file: &Path) -> PathBuf {
    env_file.with_extension("pid")
}

/// Tells of parts that end on their own, once each. The others go on: that is what the demo is there to show.
fn watch(stack: &Stack, interrupt: &Interrupt) -> anyhow::Result<()> {
    let mut told = BTreeSet::new();
    while !interrupt.wait(Duration::from_millis(200)) {
        for part in stack.parts() {
            if let Some(notice) = part.death_notice()
                && told.insert(part.name())
            {
                say(&format!("\n{notice}\nThe others go on. {}\n", again(part)?));
            }
        }
    }
    Ok(())
}

fn again(part: &Part) -> anyhow::Result<String> {
    Ok(if part.is_service() {
        format!("To start it again:\n\n  {}", part.command_line()?)
    } else {
        "To start it again: `make down`, `make demo`.".to_string()
    })
}

fn welcome(stack: &Stack, env_file: &Path) -> anyhow::Result<String> {
    let mut text = String::from("\nMillrace is up:\n\n");
    for part in stack.parts().iter().filter(|part| !part.is_step()) {
        let process = part.pid().map_or("left out".into(), |pid| format!("process {pid}"));
        writeln!(text, "  {:<15} {:<15} {}", part.name(), process, part.address().unwrap_or_default())?;
    }
    writeln!(text, "\nThe addresses are in {} too, for a shell to source.", env_file.display())?;
    let page = stack.parts().iter().find(|part| part.service() == Some("views") && part.pid().is_some());
    if let Some(url) = page.and_then(Part::url) {
        writeln!(text, "\nWatch it all on the live page, and place orders there:\n\n  >>> {url}/ <<<\n")?;
    }
    if let Some(url) = stack.parts().iter().find(|part| part.name() == "orders").and_then(Part::url) {
        writeln!(text, "From a shell: place an order, and wait for the verdict on it:\n")?;
        writeln!(text, "  curl -i {url}/v1/orders -H 'content-type: application/json' \\")?;
        writeln!(text, "    -d '{FIRST_ORDER}'")?;
        writeln!(text, "  curl -i {url}/v1/orders/first/validated")?;
    }
    text.push_str(&observed(&stack.addresses()));
    for part in stack.parts().iter().filter(|part| part.is_service() && part.pid().is_none()) {
        writeln!(text, "\nStart {} yourself, from a debugger or so:\n\n  {}", part.name(), part.command_line()?)?;
    }
    text.push_str("\nCtrl-C or `make down` ends everything.\n");
    Ok(text)
}

/// Where to look at what goes on; nothing, if nobody looks.
fn observed(addresses: &Addresses) -> String {
    let Addresses { prometheus_url, jaeger_url, .. } = addresses;
    let mut text = String::new();
    if !prometheus_url.is_empty() {
        text += "\nFigures and alerts (docs/metrics.md, docs/runbooks) are in Prometheus:\n\n";
        text += &format!("  curl {prometheus_url}/api/v1/alerts\n");
    }
    if !jaeger_url.is_empty() {
        text += "\nTraces are found by the id in every answer (32 digits of its header `traceresponse`):\n\n";
        text += &format!("  curl {jaeger_url}/api/traces/TRACE_ID\n");
    }
    text
}

const FIRST_ORDER: &str = r#"{"id": "first", "customerId": 1, "product": "JUMPERS", "quantity": 2, "price": 9.99}"#;

/// On standard output, whose reader may have gone away.
fn say(text: &str) {
    let mut output = io::stdout();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}
