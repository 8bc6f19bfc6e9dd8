//! A real browser without a screen, driven as the WebDriver standard says (W3C, JSON over HTTP).

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A browser with one window. It is gone when it is dropped, and when the process of the test ends in whatever way.
pub struct Browser {
    http: Client,
    /// `http://127.0.0.1:PORT/session/ID`.
    session: String,
    _driver: Driver,
}

/// What somebody looks at the page with.
#[derive(Clone, Copy, Debug)]
pub enum Screen {
    Desktop,
    Phone,
}

/// The keys that are no characters, as the standard numbers them.
pub const ENTER: &str = "\u{e007}";
pub const ESCAPE: &str = "\u{e00c}";
pub const TAB: &str = "\u{e004}";
pub const ARROW_DOWN: &str = "\u{e015}";

/// How long any one command may take on a busy machine.
const OBEYED_WITHIN: Duration = Duration::from_secs(60);

/// The member that holds an element's id.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Browser {
    /// Opens a window of that size.
    ///
    /// # Errors
    /// If there is no browser and none can be installed, or it does not start.
    pub async fn open(screen: Screen) -> anyhow::Result<Self> {
        let browser = local::browser(&local::Interrupt::default())?;
        let driver = Driver::start(&browser)?;
        let http = Client::builder().no_proxy().timeout(OBEYED_WITHIN).build()?;
        let mut arguments = vec!["--headless=new".to_string(), "--disable-gpu".into(), "--no-first-run".into()];
        arguments.push(format!("--user-data-dir={}", driver.directory.path().join("profile").display()));
        // The sandbox refuses to run as root, and small containers have little shared memory.
        arguments.extend(["--no-sandbox".into(), "--disable-dev-shm-usage".into(), "--window-size=1280,900".into()]);
        let mut options = json!({"binary": browser.program, "args": arguments});
        if let Screen::Phone = screen {
            let metrics = json!({"width": 390, "height": 844, "pixelRatio": 2, "touch": true, "mobile": true});
            options["mobileEmulation"] = json!({"deviceMetrics": metrics});
        }
        let wanted = json!({"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}});
        let base = format!("http://127.0.0.1:{}", driver.port);
        let created =
            command(&http, Method::POST, &format!("{base}/session"), &json!({"capabilities": {"alwaysMatch": wanted}}))
                .await?;
        let id = created["sessionId"].as_str().context("there is no session id")?;
        Ok(Self { http, session: format!("{base}/session/{id}"), _driver: driver })
    }

    /// Goes to an address.
    pub async fn visit(&self, url: &str) -> anyhow::Result<()> {
        self.post("/url", &json!({"url": url})).await.map(drop)
    }

    /// Clicks what the selector finds first.
    pub async fn click(&self, selector: &str) -> anyhow::Result<()> {
        let element = self.element(selector).await?;
        self.post(&format!("/element/{element}/click"), &json!({})).await.map(drop)
    }

    /// Presses keys, wherever the focus is.
    pub async fn press(&self, keys: &str) -> anyhow::Result<()> {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})])
            .collect();
        let actions = json!([{"type": "key", "id": "keyboard", "actions": strokes}]);
        self.post("/actions", &json!({"actions": actions})).await.map(drop)
    }

    /// What a script returns in the page.
    pub async fn run(&self, script: &str) -> anyhow::Result<Value> {
        self.post("/execute/sync", &json!({"script": script, "args": []})).await
    }

    /// What the page has complained about since it was asked last.
    pub async fn complaints(&self) -> anyhow::Result<Vec<String>> {
        let log = self.post("/se/log", &json!({"type": "browser"})).await?;
        let entries = log.as_array().context("the log is a list")?;
        Ok(entries.iter().map(|entry| entry["message"].as_str().unwrap_or_default().to_string()).collect())
    }

    /// The window as it looks, as PNG in base 64.
    pub async fn screenshot(&self) -> anyhow::Result<String> {
        let image = command(&self.http, Method::GET, &format!("{}/screenshot", self.session), &Value::Null).await?;
        Ok(image.as_str().context("the image is text")?.to_string())
    }

    /// Closes the window; the process ends with it.
    pub async fn close(self) -> anyhow::Result<()> {
        command(&self.http, Method::DELETE, &self.session, &Value::Null).await.map(drop)
    }

    async fn element(&self, selector: &str) -> anyhow::Result<String> {
        let found = self.post("/element", &json!({"using": "css selector", "value": selector})).await?;
        Ok(found[ELEMENT].as_str().with_context(|| format!("{selector} finds no element"))?.to_string())
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        command(&self.http, Method::POST, &format!("{}{path}", self.session), body).await
    }
}

async fn command(http: &Client, method: Method, url: &str, body: &Value) -> anyhow::Result<Value> {
    let request = http.request(method, url);
    let request = if body.is_null() { request } else { request.json(body) };
    let response = request.send().await?;
    let status = response.status();
    let mut answer: Value = response.json().await?;
    ensure!(status.is_success(), "{url}: {}", answer["value"]["message"].as_str().unwrap_or_default());
    Ok(answer["value"].take())
}

/// The program that drives the browser, and the directory of all that both write.
struct Driver {
    child: Child,
    guard: Child,
    port: u16,
    directory: TempDir,
    /// Open for as long as the driver may want to say something.
    _says: BufReader<ChildStdout>,
}

/// Kills the process group it is given when its standard input ends, which the test's process holds.
const GUARD: &str = r#"trap '' INT TERM HUP QUIT; read -r _; kill -s KILL -- "-$0""#;

impl Driver {
    fn start(browser: &local::Browser) -> anyhow::Result<Self> {
        let directory = TempDir::with_prefix("millrace-browser-")?;
        let mut driver = Command::new(&browser.driver);
        driver.args(["--port=0", "--log-level=SEVERE"]).process_group(0);
        driver.env("TMPDIR", directory.path()).env("HOME", directory.path());
        let mut child = driver.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut guard = Command::new("/bin/sh");
        guard.arg("-c").arg(GUARD).arg(child.id().to_string()).process_group(0).stdin(Stdio::piped());
        let guard = guard.spawn()?;
        let mut says = BufReader::new(child.stdout.take().context("its output is piped")?);
        let port = port(&mut says)?;
        Ok(Self { child, guard, port, directory, _says: says })
    }
}

impl Drop for Driver {
    /// The browser is in the same process group, and goes with its driver.
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
        let _ = self.child.wait();
    }
}

/// From `ChromeDriver was started successfully on port 34567.`
fn port(says: &mut impl BufRead) -> anyhow::Result<u16> {
    let mut line = String::new();
    while says.read_line(&mut line)? > 0 {
        if let Some((_, port)) = line.trim_end().trim_end_matches('.').rsplit_once("successfully on port ") {
            return Ok(port.parse()?);
        }
        line.clear();
    }
    anyhow::bail!("the driver of the browser ended before it had a port")
}
