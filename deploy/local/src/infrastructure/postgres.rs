use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::addresses::{Addresses, postgres_url};
use crate::error::{Error, Result};
use crate::launch::{Launch, run};
use crate::probe;
use crate::site::Site;
use crate::user::{copy_tree, private_directory, reachable_by_all, set_mode};

/// A data directory that holds the databases, empty, with the registry's tables in its own.
pub(crate) const DATA: &str = "postgres-data";

/// The database that is there from the beginning.
pub(crate) const DATABASE: &str = "postgres";

/// The services that have a database, each of its own name. It is made at setup, empty; its tables are the matter of the
/// service, which gets its URL as `DATABASE_URL`.
pub(crate) const DATABASES_OF_SERVICES: &[&str] = &["email", "views"];

/// PostgreSQL on TCP only, which any local account may enter without a password.
///
/// What survives a crash of the machine is of no interest here, so that nothing is synced. A `kill -9` of the server can
/// lose the last commits of whoever does not ask for `synchronous_commit`. Shared memory is kept in the data directory, so that it goes with it.
pub(crate) fn launch(site: &Site) -> Result<Launch> {
    let binaries = binaries(site)?;
    let data = site.part_directory("postgres")?.join("data");
    if !data.exists() {
        make_data(site, &binaries, &data)?;
    }
    let settings = [
        format!("port={}", site.port("postgres")),
        "listen_addresses=127.0.0.1".into(),
        "unix_socket_directories=".into(),
        "dynamic_shared_memory_type=mmap".into(),
        "fsync=off".into(),
        "synchronous_commit=off".into(),
        "full_page_writes=off".into(),
        "shared_buffers=32MB".into(),
    ];
    Ok(Launch::new(binaries.join("postgres"))
        .arguments(["-D".to_string(), data.display().to_string()])
        .arguments(settings.into_iter().flat_map(|setting| ["-c".to_string(), setting]))
        .environment("LC_ALL", "C")
        .user(site.user))
}

/// Makes a database in the PostgreSQL of a stack, and returns its URL.
///
/// # Errors
/// If the server is not there, or has one of that name.
pub fn create_database(addresses: &Addresses, name: &str) -> Result<String> {
    let doing = format!("create the database {name}");
    let port = addresses.postgres_port().ok_or_else(|| Error::io(&doing)(io::ErrorKind::AddrNotAvailable.into()))?;
    execute(port, DATABASE, &format!("CREATE DATABASE \"{name}\"")).map_err(Error::io(&doing))?;
    Ok(postgres_url(port, name))
}

/// Whether it answers `SELECT 1`.
pub(crate) fn answers(port: u16) -> Result<(), String> {
    execute(port, DATABASE, "SELECT 1").map_err(|error| format!("it does not answer on port {port}: {error}"))
}

/// Runs one statement over the wire protocol (simple query, protocol 3.0), for what would be `psql -c`.
pub(crate) fn execute(port: u16, database: &str, statement: &str) -> io::Result<()> {
    let mut connection = probe::connect(port)?;
    let startup = [&3_u32.to_be_bytes()[2..], &[0, 0], b"user\0postgres\0database\0", database.as_bytes(), b"\0\0"];
    send(&mut connection, &startup.concat())?;
    until_ready(&mut connection)?;
    connection.write_all(b"Q")?;
    send(&mut connection, &[statement.as_bytes(), b"\0"].concat())?;
    until_ready(&mut connection)?;
    connection.write_all(b"X")?;
    send(&mut connection, &[])
}

fn send(connection: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 4).map_err(io::Error::other)?;
    connection.write_all(&[&length.to_be_bytes(), body].concat())
}

/// Reads messages until the server waits for the next statement. An error of its is ours; one before the session is up
/// is its last message.
fn until_ready(connection: &mut TcpStream) -> io::Result<()> {
    let mut refusal = None;
    loop {
        match receive(connection) {
            Ok((b'E', body)) => refusal = Some(io::Error::other(error_message(&body))),
            Ok((b'Z', _)) => return refusal.map_or(Ok(()), Err),
            Ok(_) => {}
            Err(error) => return Err(refusal.unwrap_or(error)),
        }
    }
}

fn receive(connection: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    connection.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    let mut body = vec![0; length.saturating_sub(4) as usize];
    connection.read_exact(&mut body)?;
    Ok((head[0], body))
}

/// The field `M` of an ErrorResponse, whose fields are a letter, a text and a zero.
fn error_message(body: &[u8]) -> String {
    let message = body.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"M"));
    String::from_utf8_lossy(message.unwrap_or(body)).into_owned()
}

/// The directory of the programs, where the account that is to run them can get at them.
fn binaries(site: &Site) -> Result<PathBuf> {
    let fetched = site.installation.fetched.join("postgres");
    if site.user.is_none() || reachable_by_all(&fetched) {
        return Ok(fetched.join("bin"));
    }
    let copy = site.part_directory("postgres")?.join("server");
    if !copy.exists() {
        copy_tree(&fetched, &copy, None)?;
    }
    Ok(copy.join("bin"))
}

/// By a copy of what setup prepared, or, at setup, from nothing.
fn make_data(site: &Site, binaries: &Path, data: &Path) -> Result<()> {
    if let Some(prepared) = &site.installation.prepared {
        copy_tree(&prepared.join(DATA), data, site.user)?;
        return set_mode(data, 0o700);
    }
    private_directory(data, site.user)?;
    let mut initdb = Command::new(binaries.join("initdb"));
    initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]);
    initdb.args(["--wal-segsize=1", "-D"]).arg(data).current_dir("/").env("LC_ALL", "C");
    if let Some(user) = site.user {
        initdb.uid(user.uid).gid(user.gid);
    }
    run(initdb, &site.log("postgres-initdb"), &site.interrupt)
}
