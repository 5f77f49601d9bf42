//! The real binary from outside: started, asked, looked at in `/proc`, stopped or killed.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{Options, Outcome};

/// Longer than anything that is measured here.
const PATIENCE: Duration = Duration::from_secs(120);

/// A command of the real binary with the product's own defaults; simulated routers live on loopback.
pub(crate) fn appliance(options: &Options, dir: &Path) -> Command {
    let mut command = Command::new(&options.appliance);
    command.env("APPLIANCE__ROUTERS__ALLOW_LOOPBACK", "true").arg("--dir").arg(dir);
    command
}

/// Runs a command to its end and reads the JSON that it prints.
pub(crate) fn asked(command: &mut Command) -> Outcome<Value> {
    let done = command.output()?;
    if !done.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr)).into());
    }
    Ok(serde_json::from_slice(&done.stdout)?)
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// `appliance serve`. Killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) address: String,
    /// From starting it to the answer of `/ready`.
    pub(crate) ready_ms: f64,
    /// What it said on standard error before it listened.
    pub(crate) said: String,
}

impl Daemon {
    pub(crate) fn start(options: &Options, dir: &Path) -> Outcome<Self> {
        let begun = Instant::now();
        let mut child = appliance(options, dir)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stderr = BufReader::new(child.stderr.take().ok_or("no standard error")?);
        let mut daemon = Self { child, address: String::new(), ready_ms: 0.0, said: String::new() };
        let mut line = String::new();
        while stderr.read_line(&mut line)? > 0 {
            if let Some((_, rest)) = line.split_once("listening on http://") {
                daemon.address = rest.split(' ').next().unwrap_or_default().to_owned();
                break;
            }
            daemon.said.push_str(&line);
            line.clear();
        }
        if daemon.address.is_empty() {
            return Err(format!("the appliance did not start: {}", daemon.said).into());
        }
        // What it says later is read and forgotten, so that it never waits for a reader.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        while !Http::open(&daemon.address)
            .and_then(|mut http| http.get("/ready", ""))
            .is_ok_and(|ok| ok.0 == 200)
        {
            if begun.elapsed() > PATIENCE {
                return Err("the appliance is not getting ready".into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        daemon.ready_ms = milliseconds(begun);
        Ok(daemon)
    }

    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Asks it to stop and waits for its end; in seconds.
    pub(crate) fn stop(mut self) -> Outcome<f64> {
        let begun = Instant::now();
        terminate(&self.child)?;
        let status = self.child.wait()?;
        if status.success() {
            Ok(begun.elapsed().as_secs_f64())
        } else {
            Err(format!("it ended with {status}").into())
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) -> Outcome<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn terminate(child: &Child) -> Outcome<()> {
    let done = Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
    if done.success() { Ok(()) } else { Err("kill -TERM failed".into()) }
}

/// A line of `/proc/PID/status` that tells of memory, in MB (10^6 bytes).
fn memory(pid: &str, line: &str) -> Outcome<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = status.lines().find_map(|told| told.strip_prefix(line)?.trim().strip_suffix(" kB"));
    Ok(kib.ok_or_else(|| format!("no {line}"))?.trim().parse::<f64>()? * 1024.0 / 1e6)
}

/// Memory in use by a process, in MB (10^6 bytes).
pub(crate) fn rss_mb(pid: &str) -> Outcome<f64> {
    memory(pid, "VmRSS:")
}

/// The most memory that a process ever used, in MB (10^6 bytes).
pub(crate) fn peak_mb(pid: &str) -> Outcome<f64> {
    memory(pid, "VmHWM:")
}

/// A kept-alive HTTP/1.1 connection, as little as measuring needs: answers with a length, no compression.
pub(crate) struct Http {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Http {
    pub(crate) fn open(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), host: address.to_owned() })
    }

    /// Status and body. `authorization` is a header's value, or empty.
    pub(crate) fn get(&mut self, path: &str, authorization: &str) -> Outcome<(u16, Vec<u8>)> {
        self.ask("GET", path, authorization, "")
    }

    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        authorization: &str,
        body: &str,
    ) -> Outcome<(u16, Vec<u8>)> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        if !authorization.is_empty() {
            request.push_str(&format!("Authorization: {authorization}\r\n"));
        }
        if !body.is_empty() {
            request
                .push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        request.push_str(body);
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).ok_or("no HTTP answer")?.parse()?;
        let mut length = None;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = Some(value.trim().parse::<usize>()?);
            }
        }
        let mut body = vec![0; length.ok_or("an answer without a length")?];
        self.stream.read_exact(&mut body)?;
        Ok((status, body))
    }
}

/// An MCP client of `appliance stdio`.
pub(crate) struct Client {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    next_id: u64,
    /// From starting it to the answer of `initialize`.
    pub(crate) first_answer_ms: f64,
}

impl Client {
    /// Starts it and shakes hands; `with` are further settings from the environment.
    pub(crate) fn start(options: &Options, dir: &Path, with: &[(&str, &str)]) -> Outcome<Self> {
        let begun = Instant::now();
        let mut child = appliance(options, dir)
            .arg("stdio")
            .envs(with.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdin = child.stdin.take().ok_or("no standard input")?;
        let stdout = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut client = Self { child, stdin, stdout, next_id: 0, first_answer_ms: 0.0 };
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "bench", "version": env!("CARGO_PKG_VERSION") },
        });
        client.ask("initialize", &hello)?;
        client.first_answer_ms = milliseconds(begun);
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
        Ok(client)
    }

    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }

    fn send(&mut self, message: &Value) -> Outcome<()> {
        let mut line = message.to_string();
        line.push('\n');
        self.stdin.write_all(line.as_bytes())?;
        Ok(self.stdin.flush()?)
    }

    /// Asks and returns the answer's line as it came.
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Outcome<String> {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        let mine = format!("\"id\":{id}");
        loop {
            let mut line = String::new();
            if self.stdout.read_line(&mut line)? == 0 {
                return Err(format!("no answer to {method}").into());
            }
            // Notifications may come in between.
            if line.contains(&mine) {
                return Ok(line);
            }
        }
    }

    /// Closes its input and waits for its end.
    pub(crate) fn end(mut self) -> Outcome<()> {
        drop(self.stdin);
        self.child.wait()?;
        Ok(())
    }
}

/// Simulated routers over plain HTTP in a process of their own; stopped when dropped.
pub(crate) struct Routers {
    child: Child,
    /// Name and address of each.
    pub(crate) boxes: Vec<(String, String)>,
}

impl Routers {
    pub(crate) fn start(options: &Options, count: usize) -> Outcome<Self> {
        let mut child = Command::new(&options.simulator)
            .args(["--plain", "--boxes", &count.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no standard output")?).read_line(&mut line)?;
        let said: Value = serde_json::from_str(&line)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let boxes = said["boxes"].as_array().into_iter().flatten();
        let boxes = boxes.map(|one| (text(&one["name"]), text(&one["address"]))).collect();
        Ok(Self { child, boxes })
    }
}

impl Drop for Routers {
    fn drop(&mut self) {
        let _ = terminate(&self.child);
        let _ = self.child.wait();
    }
}
