use super::java;
use crate::error::Result;
use crate::launch::Launch;
use crate::site::Site;

/// Ready once it says so.
pub(crate) const READY: &str = "/api/service/readiness";

/// GreenMail: takes mails for everybody over SMTP, keeps them in memory, and shows them over HTTP
/// (`/api/user/<address>/messages`, described at `/`).
pub(crate) fn launch(site: &Site) -> Result<Launch> {
    let jar = site.installation.fetched.join("mailbox/greenmail-standalone.jar");
    Ok(java(site, "mailbox")?
        .arguments(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx64m", "-Dgreenmail.auth.disabled"])
        .arguments(["-Dgreenmail.smtp.hostname=127.0.0.1", "-Dgreenmail.api.hostname=127.0.0.1"])
        .arguments([format!("-Dgreenmail.smtp.port={}", site.port("mailbox-smtp"))])
        .arguments([format!("-Dgreenmail.api.port={}", site.port("mailbox"))])
        .arguments(["-jar".to_string(), jar.display().to_string()]))
}
