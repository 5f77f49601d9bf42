//! The official conformance suite. It cannot send a token, so a small proxy adds one: the product has no door without.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    clients::{node_path, node_tools},
    run::{Demo, Run, TempDir, appliance},
};

/// Protocol versions that are asked for.
const VERSIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

pub(crate) fn run() -> Result<(), String> {
    let binary = appliance()?;
    let tools = node_tools()?;
    let demo = Demo::start(&binary, &["--devices", "2", "--conformance"])?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let upstream = text(&demo.said["url"]).trim_start_matches("http://").to_owned();
    let proxy = proxy(upstream, text(&demo.said["tokens"]["agent"])).map_err(|error| error.to_string())?;
    let out = TempDir::new("conformance")?;
    let suite = tools.join("node_modules").join(".bin").join("conformance");
    let mut failed = Vec::new();
    for version in VERSIONS {
        println!("-- requirements {version}");
        let done = Run::new(&suite.display().to_string())
            .args(["server", "--url", &format!("http://{proxy}/mcp"), "--requirements", version, "-o"])
            .args([out.0.join(version)])
            .env("PATH", node_path(&tools))
            .done();
        if let Err(why) = done {
            failed.push(format!("{version}: {why}"));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

/// Listens on loopback; every request goes on with a bearer, one connection a request.
fn proxy(upstream: String, token: String) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (upstream, token) = (upstream.clone(), token.clone());
            std::thread::spawn(move || {
                // A client or server that goes away ends this connection only.
                let _ = forward(client, &upstream, &token);
            });
        }
    });
    Ok(address)
}

fn forward(client: TcpStream, upstream: &str, token: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    let mut length = 0u64;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if !lower.starts_with("connection:") && !lower.starts_with("authorization:") {
            head.push_str(&line);
        }
    }
    head.push_str(&format!("Connection: close\r\nAuthorization: Bearer {token}\r\n\r\n"));
    let mut server = TcpStream::connect(upstream)?;
    server.write_all(head.as_bytes())?;
    std::io::copy(&mut (&mut reader).take(length), &mut server)?;
    // A client that leaves while an answer streams ends the request at the appliance as well.
    let (mut gone, closing) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let mut byte = [0u8; 1];
        let _ = gone.read(&mut byte);
        let _ = closing.shutdown(std::net::Shutdown::Both);
    });
    let mut answer = client;
    std::io::copy(&mut server, &mut answer)?;
    answer.shutdown(std::net::Shutdown::Both)
}
