use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::java;
use crate::binaries;
use crate::error::{Error, Result};
use crate::launch::{Launch, run};
use crate::probe;
use crate::site::Site;
use crate::user::copy_tree;

pub(crate) const PORTS: &[(&str, u16)] = &[("kafka", 9092), ("kafka-controller", 9093), (METRICS, 9404)];

/// Where its own figures are told, if there is a Prometheus to read them.
pub(crate) const METRICS: &str = "kafka-metrics";

/// What `kafka-storage format` writes, less the identity of the cluster.
pub(crate) const FORMATTED: &str = "kafka-data";

/// One node that is broker and controller.
///
/// Replication is 1. Four partitions for offsets and transactions start faster than fifty and cost the same per
/// transaction. The session is shorter than usual because a broker that was killed is let in again only when the session of
/// its past self has run out, and longer than a busy machine keeps it from saying that it is there; the transactions of a producer that died are looked for every second, because readers of its
/// partitions wait for them.
const SERVER_PROPERTIES: &str = "
process.roles=broker,controller
node.id=1
listeners=BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=BROKER://127.0.0.1:{port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller_port}
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.coordinator.append.linger.ms=0
transaction.max.timeout.ms=60000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
";

const LOG_PROPERTIES: &str = "
status=warn
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{HH:mm:ss.SSS} %-5p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
";

pub(crate) fn launch(site: &Site) -> Result<Launch> {
    let directory = site.part_directory("kafka")?;
    let data = directory.join("data");
    let properties = write(
        directory.join("server.properties"),
        &SERVER_PROPERTIES
            .replace("{port}", &site.port("kafka").to_string())
            .replace("{controller_port}", &site.port("kafka-controller").to_string())
            .replace("{data}", &data.display().to_string()),
    )?;
    let logging = write(directory.join("log4j2.properties"), LOG_PROPERTIES)?;
    if !data.exists() {
        format(site, &data, &properties)?;
    }
    Ok(java(site, "kafka")?
        .arguments(agent(site))
        .arguments(["-Xmx1g", "-cp"])
        .arguments([class_path(site)])
        .arguments([format!("-Dlog4j2.configurationFile={}", logging.display())])
        .arguments(["kafka.Kafka"])
        .arguments([properties.display()]))
}

/// The exporter of the figures that the broker keeps (JMX), in the broker itself, so that its silence is the broker's.
fn agent(site: &Site) -> Option<String> {
    site.parts.iter().find(|part| part.name == "prometheus")?;
    let jar = site.installation.fetched.join("figures/jmx_prometheus_javaagent.jar");
    let rules = binaries::workspace().join("deploy/observability/kafka-jmx.yaml");
    let address = probe::address(site.port(METRICS));
    Some(format!("-javaagent:{}={address}:{}", jar.display(), rules.display()))
}

/// Whether the broker answers, asked with the request every Kafka client opens with (ApiVersions, version 0).
pub(crate) fn answers(port: u16) -> Result<(), String> {
    ask_for_api_versions(port).map_err(|error| format!("it does not answer on port {port}: {error}"))
}

fn ask_for_api_versions(port: u16) -> io::Result<()> {
    const CORRELATION_ID: [u8; 4] = [0, 0, 0, 7];
    let mut connection = probe::connect(port)?;
    // Length; key 18, version 0; correlation id; no client id.
    connection.write_all(&[0, 0, 0, 10, 0, 18, 0, 0])?;
    connection.write_all(&CORRELATION_ID)?;
    connection.write_all(&[0xff, 0xff])?;
    let mut head = [0; 10];
    connection.read_exact(&mut head)?;
    if head[4..8] == CORRELATION_ID && head[8..10] == [0, 0] {
        Ok(())
    } else {
        Err(io::Error::other("something else than Kafka listens there"))
    }
}

/// Makes an empty cluster: at setup with Kafka's own tool, later by a copy, which saves a JVM. The identity is always new,
/// so that what a client remembers of one cluster is not taken for the state of another.
fn format(site: &Site, data: &Path, properties: &Path) -> Result<()> {
    if let Some(prepared) = &site.installation.prepared {
        copy_tree(&prepared.join(FORMATTED), data, None)?;
        let identity = format!("version=1\nnode.id=1\ncluster.id={}\ndirectory.id={}\n", uuid(), uuid());
        return write(data.join("meta.properties"), &identity).map(drop);
    }
    let mut tool = Command::new(&site.installation.java);
    tool.args(["-XX:-UsePerfData", "-cp", &class_path(site), "kafka.tools.StorageTool", "format"]);
    tool.args(["--cluster-id", &uuid(), "--config"]).arg(properties);
    run(tool, &site.log("kafka-format"), &site.interrupt)
}

/// What a cluster that was used keeps of its formatting, copied into `prepared` as the template of others.
pub(crate) fn keep_formatted(site: &Site, prepared: &Path) -> Result<()> {
    const FEATURES: &str = "bootstrap.checkpoint";
    let template = prepared.join(FORMATTED);
    fs::create_dir_all(&template).map_err(Error::path("create", &template))?;
    let features = site.part_directory("kafka")?.join("data").join(FEATURES);
    fs::copy(&features, template.join(FEATURES)).map_err(Error::path("copy", &features))?;
    Ok(())
}

fn class_path(site: &Site) -> String {
    format!("{}/*", site.installation.fetched.join("kafka").display())
}

fn write(path: PathBuf, text: &str) -> Result<PathBuf> {
    fs::write(&path, text).map_err(Error::path("write", &path))?;
    Ok(path)
}

/// A random id in the 22 characters of Kafka's base 64, where the last stands for two bits only.
fn uuid() -> String {
    let random = || RandomState::new().hash_one(());
    format!("{:016x}{:05x}A", random(), random() & 0xf_ffff)
}
