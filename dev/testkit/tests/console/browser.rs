//! A browser: as much of `WebDriver` as these tests need.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The key under which `WebDriver` names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Chromium with its driver, both gone when this is.
pub struct Browser {
    driver: Child,
    http: reqwest::Client,
    session: String,
    profile: PathBuf,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// A file of the checkout.
pub fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

impl Browser {
    /// Opens one whose window has this size.
    pub async fn open(width: u32, height: u32) -> Self {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("there is no chromedriver ({error}): `make browser` installs it"));
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.ok()?;
            Some(line.split_once("successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok())
        });
        let port = port.flatten().unwrap();
        // Whoever reads no more must not be waited for.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = std::env::temp_dir().join(format!("console-{}-{port}", std::process::id()));
        let size = format!("--window-size={width},{height}");
        let folder = format!("--user-data-dir={}", profile.display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--mute-audio",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            &size,
            &folder,
        ];
        let wish = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": { "args": arguments } } } });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let base = format!("http://127.0.0.1:{port}");
        let made: Value = http.post(format!("{base}/session")).json(&wish).send().await.unwrap().json().await.unwrap();
        let id = made["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no browser: {made:#}"));
        let browser = Self { driver, session: format!("{base}/session/{id}"), http, profile };
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700 });
        browser.devtools("Emulation.setDeviceMetricsOverride", screen).await;
        browser
    }

    async fn try_post(&self, path: &str, body: Value) -> Result<Value, Value> {
        let sent = self.http.post(format!("{}/{path}", self.session)).json(&body).send().await.unwrap();
        let fine = sent.status().is_success();
        let mut answer: Value = sent.json().await.unwrap();
        if fine { Ok(answer["value"].take()) } else { Err(answer) }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.try_post(path, body).await.unwrap_or_else(|error| panic!("{path}: {error:#}"))
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// Light or dark.
    pub async fn scheme(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Goes to an address.
    pub async fn go(&self, url: &str) {
        self.post("url", json!({ "url": url })).await;
    }

    /// Runs a script and answers what it returns.
    pub async fn run(&self, script: &str) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// The same for one that answers a promise.
    pub async fn awaited(&self, script: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; (async () => {{ {script} }})().then(done, (error) => done(String(error)));"
        );
        self.post("execute/async", json!({ "script": script, "args": [] })).await
    }

    /// An element, once it is there: ten seconds at most.
    pub async fn find(&self, css: &str) -> String {
        for _ in 0..200 {
            if let Ok(found) = self.try_post("element", json!({ "using": "css selector", "value": css })).await {
                return found[ELEMENT].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("there is no {css} at {}", self.url().await)
    }

    /// Clicks at an element.
    pub async fn click(&self, css: &str) {
        let element = self.find(css).await;
        self.post(&format!("element/{element}/click"), json!({})).await;
    }

    /// Clicks at a link of these words.
    pub async fn follow(&self, words: &str) {
        let found = self.post("element", json!({ "using": "link text", "value": words })).await;
        self.post(&format!("element/{}/click", found[ELEMENT].as_str().unwrap()), json!({})).await;
    }

    /// Types into a field, or names the file of one.
    pub async fn write(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        self.post(&format!("element/{element}/value"), json!({ "text": text })).await;
    }

    /// What an element says.
    pub async fn text(&self, css: &str) -> String {
        self.find(css).await;
        let script = format!("return document.querySelector({}).innerText", json!(css));
        self.run(&script).await.as_str().unwrap().to_owned()
    }

    /// Waits until a script answers true: twenty seconds at most.
    pub async fn until(&self, condition: &str) {
        for _ in 0..200 {
            if self.run(&format!("return Boolean({condition})")).await == true {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never: {condition}, at {}\n{}", self.url().await, self.text("body").await)
    }

    /// Where it is.
    pub async fn url(&self) -> String {
        self.run("return location.href").await.as_str().unwrap().to_owned()
    }

    /// The page as a picture, as far as a person would scroll.
    pub async fn picture(&self, most: u64) -> Vec<u8> {
        let size = self.run("return [innerWidth, document.documentElement.scrollHeight]").await;
        let (width, height) = (size[0].as_u64().unwrap(), size[1].as_u64().unwrap().min(most));
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let wish = json!({ "format": "png", "clip": clip, "captureBeyondViewport": true, "optimizeForSpeed": false });
        let answer = self.devtools("Page.captureScreenshot", wish).await;
        STANDARD.decode(answer["data"].as_str().unwrap()).unwrap()
    }

    /// What axe finds that is serious or critical: rule, and where.
    pub async fn barriers(&self) -> Vec<String> {
        let file = root("dev/browser/node_modules/axe-core/axe.min.js");
        let axe = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}; `make browser` brings it", file.display()));
        self.run(&format!("if (!window.axe) {{ {axe} }}")).await;
        let script = "const found = await axe.run(document, { resultTypes: ['violations'] });
            return found.violations.filter((one) => ['serious', 'critical'].includes(one.impact))
                .flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 160)} ${node.failureSummary}`));";
        let found = self.awaited(script).await;
        let found = found.as_array().unwrap_or_else(|| panic!("axe: {found}"));
        found.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    }
}
