use std::env;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use local::{Part, Stack};
use serde_json::Value;
use test_kit::eventually;
use tokio::sync::{Mutex, MutexGuard};

use crate::browser::{Browser, Screen};

/// Somebody who has opened the page.
pub struct Visitor {
    pub browser: Browser,
    screen: Screen,
    /// Given back when the browser is gone: two at once leave no machine for the stack.
    _turn: MutexGuard<'static, ()>,
}

/// How long what will be seen may take on a busy machine.
pub const SEEN_WITHIN: Duration = Duration::from_secs(60);

/// The stack of all tests here. It is never dropped, as no static is: its watchdog ends it with the process.
pub fn stack() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(|| Stack::builder().start().unwrap_or_else(|error| panic!("the stack does not start: {error}")))
}

/// Where an instance of views serves the page.
pub fn address(views: &Part) -> String {
    views.url().expect("views has an HTTP interface")
}

impl Visitor {
    /// Opens the page and waits until it is live.
    pub async fn of(views: &Part, screen: Screen) -> anyhow::Result<Self> {
        static TURN: Mutex<()> = Mutex::const_new(());
        let turn = TURN.lock().await;
        let visitor = Self { browser: Browser::open(screen).await?, screen, _turn: turn };
        visitor.browser.visit(&format!("{}/", address(views))).await?;
        visitor.sees("the page is live", "document.getElementById('connection').dataset.state === 'live'").await;
        // Gone as soon as anything loads the page again.
        visitor.browser.run("window.isTheFirst = true").await?;
        Ok(visitor)
    }

    /// Waits until an expression in the page is true, or has a value, and returns that.
    pub async fn sees(&self, what: &str, expression: &str) -> Value {
        let script = format!("return ({expression}) || null");
        eventually(what, SEEN_WITHIN, async || self.browser.run(&script).await.ok().filter(|found| !found.is_null()))
            .await
    }

    /// Chooses a preset and places the order; returns its id.
    pub async fn places(&self, preset: &str) -> anyhow::Result<String> {
        let press = "[...document.querySelectorAll('#presets button')].find((it) => it.textContent === PRESET).click()";
        self.browser.run(&press.replace("PRESET", &format!("'{preset}'"))).await?;
        let id = self.browser.run("return document.querySelector('#order-form [name=id]').value").await?;
        self.browser.click("#order-form [type=submit]").await?;
        Ok(id.as_str().unwrap_or_default().to_string())
    }

    /// Waits until the row of an order shows a state.
    pub async fn sees_row(&self, id: &str, state: &str) {
        let row = format!("document.querySelector('#orders-body [data-id=\"{id}\"] [data-state={state}]') !== null");
        self.sees(&format!("the row of {id} says {state}"), &row).await;
    }

    /// Keeps a picture if the environment asks for it.
    pub async fn keeps_picture(&self, name: &str) -> anyhow::Result<()> {
        let Some(directory) = env::var_os("PAGE_SCREENSHOTS").map(PathBuf::from) else { return Ok(()) };
        fs::create_dir_all(&directory)?;
        let file = fs::File::create(directory.join(format!("{name}-{:?}.png", self.screen).to_lowercase()))?;
        let mut decode = Command::new("base64").arg("-d").stdin(Stdio::piped()).stdout(file).spawn()?;
        if let Some(mut input) = decode.stdin.take() {
            input.write_all(self.browser.screenshot().await?.as_bytes())?;
        }
        decode.wait()?;
        Ok(())
    }

    /// Leaves, having seen nothing go wrong and nothing loaded again.
    pub async fn leaves(self) -> anyhow::Result<()> {
        assert_eq!(self.browser.run("return window.isTheFirst").await?, true, "the page was loaded again");
        self.browser.close().await
    }
}
