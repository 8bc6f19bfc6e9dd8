use super::java;
use crate::error::Result;
use crate::launch::Launch;
use crate::site::Site;

/// Where Apicurio speaks the protocol of Confluent's registry.
pub(crate) const CONFLUENT_API: &str = "/apis/ccompat/v7";

/// Ready once it lists what is registered: then its own storage works too.
pub(crate) const READY: &str = "/apis/ccompat/v7/subjects";

/// The registry's own database.
pub(crate) const DATABASE: &str = "registry";

/// Apicurio Registry, stored in PostgreSQL so that an id means the same schema after a restart.
///
/// It answers a handful of requests per process, so that the compiler and the collector that start fastest are the best,
/// and few connections are enough.
pub(crate) fn launch(site: &Site) -> Result<Launch> {
    let runner = site.installation.fetched.join("registry/apicurio-registry-app-3.0.9-runner.jar");
    Ok(java(site, "registry")?
        .arguments(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx384m", "-jar"])
        .arguments([runner.display()])
        .environment("QUARKUS_HTTP_HOST", "127.0.0.1")
        .environment("QUARKUS_HTTP_PORT", site.port("registry"))
        .environment("QUARKUS_HTTP_ACCESS_LOG_ENABLED", "false")
        .environment("APICURIO_STORAGE_KIND", "sql")
        .environment("APICURIO_STORAGE_SQL_KIND", "postgresql")
        .environment(
            "APICURIO_DATASOURCE_URL",
            format!("jdbc:postgresql://127.0.0.1:{}/{DATABASE}", site.port("postgres")),
        )
        .environment("APICURIO_DATASOURCE_JDBC_INITIAL_SIZE", 1)
        .environment("APICURIO_DATASOURCE_JDBC_MIN_SIZE", 1)
        .environment("APICURIO_DATASOURCE_JDBC_MAX_SIZE", 10)
        .environment("APICURIO_DATASOURCE_USERNAME", "postgres")
        .environment("APICURIO_DATASOURCE_PASSWORD", "unused"))
}
