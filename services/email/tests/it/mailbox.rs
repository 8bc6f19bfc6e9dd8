use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// No answer.
pub const SILENCE: &str = "";

/// A mail server (RFC 5321, as much of it as a client needs) that keeps what it is given.
#[derive(Clone, Debug, Default)]
pub struct Mailbox {
    mails: Arc<Mutex<Vec<String>>>,
    /// What the next recipients are answered with, instead of 250.
    refusals: Arc<Mutex<Vec<&'static str>>>,
}

impl Mailbox {
    /// Listens, and returns its URL.
    pub async fn listening(&self) -> anyhow::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("smtp://{}", listener.local_addr()?);
        let mailbox = self.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let mailbox = mailbox.clone();
                // A client that goes away in the middle is none of its business.
                tokio::spawn(async move { mailbox.serve(connection).await });
            }
        });
        Ok(url)
    }

    /// Answers the next recipient with this; with nothing at all, if it is [`SILENCE`].
    pub fn refuse_next(&self, answer: &'static str) {
        self.refusals.lock().unwrap().push(answer);
    }

    /// All mails, as they came.
    pub fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }

    /// How often each `Message-ID` came.
    pub fn message_ids(&self) -> BTreeMap<String, usize> {
        let mut ids = BTreeMap::new();
        for mail in self.mails() {
            let id = mail.lines().find_map(|line| line.strip_prefix("Message-ID: ")).expect("each mail has one");
            *ids.entry(id.to_string()).or_default() += 1;
        }
        ids
    }

    async fn serve(&self, mut connection: TcpStream) -> std::io::Result<()> {
        let (reader, mut writer) = connection.split();
        let mut lines = BufReader::new(reader).lines();
        writer.write_all(b"220 mailbox\r\n").await?;
        while let Some(line) = lines.next_line().await? {
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            let answer = match verb.as_str() {
                "EHLO" => "250-mailbox\r\n250-8BITMIME\r\n250 SMTPUTF8",
                "RCPT" => self.refusals.lock().unwrap().pop().unwrap_or("250 OK"),
                "DATA" => {
                    writer.write_all(b"354 go on\r\n").await?;
                    let mut mail = String::new();
                    while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                        mail += &format!("{line}\n");
                    }
                    self.mails.lock().unwrap().push(mail);
                    "250 OK"
                }
                "QUIT" => "221 bye",
                _ => "250 OK",
            };
            if answer == SILENCE {
                std::future::pending::<()>().await;
            }
            writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }
}
