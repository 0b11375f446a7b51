//! Firefox without a window, driven by its own protocol, Marionette (firefox-source-docs, "Marionette Protocol"): JSON with its length
//! in front, over TCP.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::command;

/// How long an answer, or the start, may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A running browser with one page. It is killed when this is dropped.
pub struct Firefox {
    child: Child,
    wire: TcpStream,
    next: u64,
    downloads: PathBuf,
}

impl Firefox {
    /// Starts Debian's Firefox with a new profile in `folder`.
    pub fn start(folder: &Path) -> Result<Self, String> {
        let (profile, downloads) = (folder.join("firefox-profile"), folder.join("firefox-downloads"));
        for path in [&profile, &downloads] {
            fs::create_dir_all(path).map_err(|e| format!("cannot make {}: {e}", path.display()))?;
        }
        // A port that is free now.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.map_err(|e| format!("no port is free: {e}"))?.port();
        let preferences = json!({
            "marionette.port": port,
            "browser.download.folderList": 2,
            "browser.download.dir": downloads.display().to_string(),
            "browser.download.always_ask_before_handling_new_types": false,
            "browser.shell.checkDefaultBrowser": false,
            "datareporting.policy.dataSubmissionEnabled": false,
        });
        let lines = preferences.as_object().into_iter().flatten();
        let lines: String = lines.map(|(name, value)| format!("user_pref({name:?}, {value});\n")).collect();
        fs::write(profile.join("user.js"), lines).map_err(|e| format!("user.js: {e}"))?;
        let log = fs::File::create(folder.join("firefox.log")).map_err(|e| format!("firefox.log: {e}"))?;
        let mut firefox = command::program("firefox-esr");
        firefox.args(["--headless", "--marionette", "--no-remote", "--profile"]).arg(&profile);
        // It must not find another Firefox of the same user, nor write to the home folder.
        firefox.env("HOME", folder).env("MOZ_CRASHREPORTER_DISABLE", "1");
        let log_too = log.try_clone().map_err(|e| format!("firefox.log: {e}"))?;
        let mut child = firefox
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            .spawn()
            .map_err(|e| format!("cannot run `{}`: {e}", command::line(&firefox)))?;
        let end = Instant::now() + LIMIT;
        let wire = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(wire) => break wire,
                Err(error) if Instant::now() > end => {
                    // If it has ended already, there is nothing to stop.
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(format!("Firefox does not answer: {error}, see firefox.log"));
                }
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        };
        let mut browser = Self { child, wire, next: 1, downloads };
        browser.wire.set_read_timeout(Some(LIMIT)).map_err(|e| format!("Firefox: {e}"))?;
        // It says who it is.
        browser.receive()?;
        browser.call("WebDriver:NewSession", json!({ "unhandledPromptBehavior": "accept" }))?;
        Ok(browser)
    }

    /// Calls a command, and returns its result.
    fn call(&mut self, command: &str, parameters: Value) -> Result<Value, String> {
        let id = self.next;
        self.next += 1;
        let message = json!([0, id, command, parameters]).to_string();
        let framed = format!("{}:{message}", message.len());
        self.wire.write_all(framed.as_bytes()).map_err(|e| format!("Firefox: {e}"))?;
        loop {
            let answer = self.receive()?;
            if answer[1] != json!(id) {
                continue;
            }
            return match &answer[2] {
                Value::Null => Ok(answer[3].clone()),
                error => Err(format!("{command}: {}", error["message"])),
            };
        }
    }

    fn receive(&mut self) -> Result<Value, String> {
        let bad = |e: std::io::Error| format!("Firefox: {e}, see firefox.log");
        let mut length = 0;
        loop {
            let mut byte = [0];
            self.wire.read_exact(&mut byte).map_err(bad)?;
            match byte {
                [digit @ b'0'..=b'9'] => length = length * 10 + usize::from(digit - b'0'),
                _ => break,
            }
        }
        let mut message = vec![0; length];
        self.wire.read_exact(&mut message).map_err(bad)?;
        serde_json::from_slice(&message).map_err(|e| format!("Firefox: {e}"))
    }

    /// Loads a file.
    pub fn load(&mut self, page: &Path) -> Result<(), String> {
        self.call("WebDriver:Navigate", json!({ "url": format!("file://{}", page.display()) })).map(|_| ())
    }

    /// The value of an expression. The page's own variables are not in reach, only what is on the page.
    pub fn value(&mut self, expression: &str) -> Result<Value, String> {
        let script = format!("return {expression}");
        Ok(self.call("WebDriver:ExecuteScript", json!({ "script": script, "args": [] }))?["value"].clone())
    }

    /// Waits until an expression is true.
    pub fn until(&mut self, expression: &str) -> Result<(), String> {
        let end = Instant::now() + LIMIT;
        while self.value(expression)? != json!(true) {
            if Instant::now() > end {
                return Err(format!("within {LIMIT:?}, this did not become true: {expression}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn element(&mut self, selector: &str) -> Result<String, String> {
        let found = self.call("WebDriver:FindElement", json!({ "using": "css selector", "value": selector }))?;
        let id = found["value"].as_object().and_then(|object| object.values().next()).and_then(Value::as_str);
        id.map(str::to_owned).ok_or_else(|| format!("no element is {selector}"))
    }

    /// Clicks the middle of the element.
    pub fn click(&mut self, selector: &str) -> Result<(), String> {
        let id = self.element(selector)?;
        self.call("WebDriver:ElementClick", json!({ "id": id })).map(|_| ())
    }

    /// Types a text into an element. For a file input, the text is a path, and picks it.
    pub fn type_into(&mut self, selector: &str, text: &str) -> Result<(), String> {
        let id = self.element(selector)?;
        self.call("WebDriver:ElementSendKeys", json!({ "id": id, "text": text })).map(|_| ())
    }

    /// Waits for a download, and takes its bytes.
    pub fn downloaded(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let path = self.downloads.join(name);
        let end = Instant::now() + LIMIT;
        loop {
            // An empty file holds the place until the part is complete.
            let bytes = fs::read(&path).unwrap_or_default();
            if !bytes.is_empty() && !self.downloads.join(format!("{name}.part")).exists() {
                fs::remove_file(&path).map_err(|e| format!("{}: {e}", path.display()))?;
                return Ok(bytes);
            }
            if Instant::now() > end {
                return Err(format!("{name} was not saved"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        // Its other processes end with it. If it has gone already, there is nothing to stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
