//! Chromium without a window, driven through two pipes by the Chrome DevTools Protocol.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::command;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A running browser with one page. It is killed when this is dropped.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    next: u64,
    session: Option<String>,
    downloads: PathBuf,
    /// What the page did that it must not: exceptions, errors on the console, requests to a network.
    pub faults: Vec<String>,
}

/// A window.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Width and height in CSS pixels.
    pub size: (u32, u32),
    /// Whether the person likes dark colours.
    pub dark: bool,
    /// Whether it is a phone: it is touched, and has two pixels for each.
    pub phone: bool,
}

impl Browser {
    /// Starts Debian's Chromium with a new profile in `folder`.
    pub fn start(folder: &Path) -> Result<Self, String> {
        let (profile, downloads) = (folder.join("profile"), folder.join("downloads"));
        fs::create_dir_all(&downloads).map_err(|e| format!("cannot make {}: {e}", downloads.display()))?;
        let log = fs::File::create(folder.join("chromium.log")).map_err(|e| format!("chromium.log: {e}"))?;
        // The protocol's pipes are the descriptors 3 and 4.
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"]);
        shell.arg(command::which("chromium").ok_or("there is no chromium; run: cargo xtask setup --ring 6")?);
        shell.args([
            "--headless=new",
            "--remote-debugging-pipe",
            "--disable-gpu",
            "--no-first-run",
            "--hide-scrollbars",
        ]);
        // The sandbox needs rights that containers do not have. Only our own page is loaded.
        shell.args(["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]);
        shell.arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
        let mut child = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|e| format!("cannot run `{}`: {e}", command::line(&shell)))?;
        let (Some(to), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("Chromium has no pipes".to_owned());
        };
        let (sender, from) = channel();
        thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            let mut message = Vec::new();
            // The end of the pipe or of the test ends this thread.
            while stdout.read_until(0, &mut message).is_ok_and(|length| length > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { return };
                if sender.send(value).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser = Self { child, to, from, next: 1, session: None, downloads, faults: Vec::new() };
        let targets = browser.call("Target.getTargets", json!({}))?;
        let page = targets["targetInfos"].as_array().into_iter().flatten().find(|target| target["type"] == "page");
        let page = page.and_then(|page| page["targetId"].as_str()).ok_or("Chromium has no page")?.to_owned();
        let session = browser.call("Target.attachToTarget", json!({ "targetId": page, "flatten": true }))?;
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network", "DOM"] {
            browser.call(&format!("{domain}.enable"), json!({}))?;
        }
        let folder = browser.downloads.display().to_string();
        browser.call("Browser.setDownloadBehavior", json!({ "behavior": "allow", "downloadPath": folder }))?;
        Ok(browser)
    }

    /// Calls a function of the protocol, and returns its result.
    pub fn call(&mut self, method: &str, parameters: Value) -> Result<Value, String> {
        let id = self.next;
        self.next += 1;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).map_err(|e| format!("Chromium: {e}"))?;
        let end = Instant::now() + LIMIT;
        loop {
            let answer = match self.from.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(answer) => answer,
                Err(RecvTimeoutError::Timeout) => return Err(format!("{method}: no answer within {LIMIT:?}")),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!("{method}: Chromium ended, see chromium.log"));
                }
            };
            if answer["id"] != json!(id) {
                self.event(&answer);
            } else if let Some(error) = answer.get("error") {
                return Err(format!("{method}: {error}"));
            } else {
                return Ok(answer["result"].clone());
            }
        }
    }

    /// Notes what the page must not do.
    fn event(&mut self, event: &Value) {
        let of = &event["params"];
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.faults.push(format!("exception: {}", of["exceptionDetails"])),
            Some("Log.entryAdded") if of["entry"]["level"] == "error" => {
                self.faults.push(format!("log: {}", of["entry"]));
            }
            Some("Network.requestWillBeSent") => {
                let url = of["request"]["url"].as_str().unwrap_or_default();
                if !["file:", "blob:", "data:"].iter().any(|scheme| url.starts_with(scheme)) {
                    self.faults.push(format!("request: {url}"));
                }
            }
            // A question to the person is answered with yes.
            Some("Page.javascriptDialogOpening") => {
                let message = json!({ "id": 0, "method": "Page.handleJavaScriptDialog", "params": { "accept": true }, "sessionId": self.session });
                // If the browser is gone, the next call says so.
                let _ = self.to.write_all(format!("{message}\0").as_bytes());
            }
            _ => {}
        }
    }

    /// Loads a file.
    pub fn load(&mut self, page: &Path, window: Window) -> Result<(), String> {
        let (width, height) = window.size;
        let scale = if window.phone { 2 } else { 1 };
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": window.phone });
        self.call("Emulation.setDeviceMetricsOverride", metrics)?;
        let scheme = json!({ "name": "prefers-color-scheme", "value": if window.dark { "dark" } else { "light" } });
        self.call("Emulation.setEmulatedMedia", json!({ "features": [scheme] }))?;
        let answer = self.call("Page.navigate", json!({ "url": format!("file://{}", page.display()) }))?;
        match answer.get("errorText") {
            Some(error) => Err(format!("{}: {error}", page.display())),
            None => self.until("document.readyState === 'complete'"),
        }
    }

    /// The value of an expression; a promise is waited for.
    pub fn value(&mut self, expression: &str) -> Result<Value, String> {
        let parameters =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true });
        let answer = self.call("Runtime.evaluate", parameters)?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(format!("{expression}: {details}")),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// The value of an expression that is a text.
    pub fn text(&mut self, expression: &str) -> Result<String, String> {
        let value = self.value(expression)?;
        value.as_str().map(str::to_owned).ok_or_else(|| format!("{expression} is {value}"))
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

    /// Clicks the middle of the element.
    pub fn click(&mut self, selector: &str) -> Result<(), String> {
        let find = format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{ block: 'center' }}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        );
        let place = self.value(&find)?;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event)?;
        }
        Ok(())
    }

    /// Types a text where the focus is.
    pub fn type_text(&mut self, text: &str) -> Result<(), String> {
        self.call("Input.insertText", json!({ "text": text })).map(|_| ())
    }

    /// Presses a key by its name, such as `Tab`, with modifiers: 8 is Shift, 2 is Control.
    pub fn press(&mut self, key: &str, modifiers: u32) -> Result<(), String> {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            " " => 32,
            "Backspace" => 8,
            "End" => 35,
            "Home" => 36,
            "a" => 65,
            other => return Err(format!("no key is called {other}")),
        };
        let text = match key {
            "Enter" => "\r",
            " " => " ",
            _ => "",
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            if key == "a" && modifiers == 2 {
                event["commands"] = json!(["selectAll"]);
            }
            self.call("Input.dispatchKeyEvent", event)?;
        }
        Ok(())
    }

    /// Picks files with a file input.
    pub fn pick(&mut self, selector: &str, files: &[&Path]) -> Result<(), String> {
        let found =
            self.call("Runtime.evaluate", json!({ "expression": format!("document.querySelector({selector:?})") }))?;
        let object = &found["result"]["objectId"];
        if object.is_null() {
            return Err(format!("no element is {selector}"));
        }
        let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        self.call("DOM.setFileInputFiles", json!({ "files": files, "objectId": object })).map(|_| ())
    }

    /// Waits for a download, and takes its bytes.
    pub fn downloaded(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let path = self.downloads.join(name);
        let end = Instant::now() + LIMIT;
        loop {
            // A file gets its name when it is complete.
            if path.exists() && !self.downloads.join(format!("{name}.crdownload")).exists() {
                let bytes = fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
                if !bytes.is_empty() {
                    fs::remove_file(&path).map_err(|e| format!("{}: {e}", path.display()))?;
                    return Ok(bytes);
                }
            }
            if Instant::now() > end {
                return Err(format!("{name} was not saved"));
            }
            // Events are read, too.
            self.value("0")?;
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// A picture of the whole page, as PNG.
    pub fn picture(&mut self, file: &Path) -> Result<(), String> {
        let size = self.call("Page.getLayoutMetrics", json!({}))?["cssContentSize"].clone();
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let shot = self
            .call("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true, "clip": clip }))?;
        let bytes = decoded(shot["data"].as_str().unwrap_or_default());
        fs::write(file, bytes).map_err(|e| format!("{}: {e}", file.display()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The wrapper script has become Chromium, whose other processes end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bytes of Base64 (RFC 4648, 4).
fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut word, mut bits) = (0_u32, 0);
    for c in text.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        word = word << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn base64_is_decoded() {
        // RFC 4648, 10.
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar")] {
            assert_eq!(decoded(text), bytes.as_bytes());
        }
    }
}
