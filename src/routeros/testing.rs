//! A box that says byte for byte what it is told, and lanes that talk to it.

#![allow(missing_docs, reason = "names of a test harness speak for themselves")]

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use events::{
    checkpoint::Signer,
    device::{Environment, Purpose, Trust},
    ids::{CredentialId, DeviceId},
    job::JobStatus,
    log::EventLog,
    operation::Action,
    ticket::Ticket,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use crate::{
    domain::{
        Command, Rules,
        testing::{NOON, agent, device_id, dns_plan, job_id, plan_id, settings, step_id},
    },
    engine::{Engine, Options as EngineOptions, Running},
    projections::Views,
    routeros::{
        error::RouterError,
        lanes::{Lanes, Observer, Options},
        port::{Ask, Directory, Priority, Reader as _, Receipt, Reply, Target, Writer as _, action_digest},
        vault::{SealedStore, SecretKeyBytes, StoreAway, Vault},
    },
};

/// Far above what anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Long enough for a loopback answer to a deadline that is meant to pass.
pub const SHORT: Duration = Duration::from_millis(300);
pub const PASSWORD: &str = "correct horse battery staple";

/// What the box does after a request; the connection stays open unless it says otherwise.
#[derive(Clone)]
pub enum Say {
    Bytes(Vec<u8>),
    /// These, again and again, until the other side has enough.
    Endless(Vec<u8>),
    /// Byte after byte with pauses.
    Drip(Vec<u8>),
    Wait(Arc<Notify>),
    Close,
    Reset,
}

/// The box: one answer a request, the last one again and again.
pub struct Wire {
    pub port: u16,
    connections: Arc<AtomicUsize>,
    pub sent: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Wire {
    pub async fn start(answers: Vec<Vec<Say>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Self {
            port: listener.local_addr().unwrap().port(),
            connections: Arc::default(),
            sent: Arc::default(),
            requests: Arc::default(),
        };
        let (connections, requests, sent) =
            (Arc::clone(&wire.connections), Arc::clone(&wire.requests), Arc::clone(&wire.sent));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, answers.clone(), Arc::clone(&requests), Arc::clone(&sent)));
            }
        });
        wire
    }

    /// A box that always answers so.
    pub async fn saying(bytes: Vec<u8>) -> Self {
        Self::start(vec![vec![Say::Bytes(bytes)]]).await
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    answers: Vec<Vec<Say>>,
    requests: Arc<Mutex<Vec<String>>>,
    sent: Arc<AtomicUsize>,
) {
    while let Ok(request) = request_from(&mut stream).await {
        let answer = {
            let mut requests = requests.lock().unwrap();
            requests.push(request);
            answers[(requests.len() - 1).min(answers.len() - 1)].clone()
        };
        for say in answer {
            let done = match say {
                Say::Bytes(bytes) => stream.write_all(&bytes).await.is_ok(),
                Say::Endless(bytes) => {
                    while stream.write_all(&bytes).await.is_ok() {
                        sent.fetch_add(bytes.len(), Ordering::SeqCst);
                    }
                    false
                }
                Say::Drip(bytes) => {
                    let mut fine = true;
                    for byte in bytes {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        fine = fine && stream.write_all(&[byte]).await.is_ok();
                    }
                    fine
                }
                Say::Wait(until) => {
                    until.notified().await;
                    true
                }
                Say::Close => false,
                Say::Reset => {
                    stream.set_zero_linger().unwrap();
                    false
                }
            };
            if !done {
                return;
            }
        }
    }
}

/// One request, head and body.
pub async fn request_from(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(head) = text.find("\r\n\r\n") {
            let length = text[..head].to_ascii_lowercase();
            let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            let length: usize = length.map_or(0, |digits| digits.trim().parse().unwrap());
            if bytes.len() >= head + 4 + length {
                return Ok(text);
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// An answer with its length.
pub fn http(status: &str, kind: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub fn json(status: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    http(status, "application/json", body)
}

#[derive(Default)]
struct Sealed(Mutex<BTreeMap<CredentialId, Vec<u8>>>);

impl SealedStore for Sealed {
    fn sealed(&self, id: CredentialId) -> Result<Option<Vec<u8>>, StoreAway> {
        Ok(self.0.lock().unwrap().get(&id).cloned())
    }
}

struct Register(Mutex<Target>);

impl Directory for Register {
    fn target(&self, device: &DeviceId) -> Option<Target> {
        Some(Target { device_id: device.clone(), ..self.0.lock().unwrap().clone() })
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl Observer for Seen {
    fn mismatch(&self, _: &DeviceId, seen_sha256: &str) {
        self.0.lock().unwrap().push(seen_sha256.to_owned());
    }
}

/// Lanes whose every device is the box at a port.
pub struct Rig {
    pub lanes: Arc<Lanes>,
    register: Arc<Register>,
    seen: Arc<Seen>,
}

impl Rig {
    pub fn at(port: u16) -> Self {
        Self::with(port, Trust::PlainHttp, BTreeMap::new())
    }

    pub fn with(port: u16, trust: Trust, authorities: BTreeMap<String, std::path::PathBuf>) -> Self {
        let store = Arc::new(Sealed::default());
        let vault = Arc::new(Vault::new(SecretKeyBytes::generate().unwrap(), Arc::clone(&store) as _));
        let login = CredentialId::from_parts(NOON, 1);
        let sealed =
            vault.seal(&device_id("r1"), login, Purpose::Write, &PASSWORD.to_owned().into()).unwrap();
        store.0.lock().unwrap().insert(login, sealed);
        let register = Arc::new(Register(Mutex::new(Target {
            device_id: device_id("r1"),
            ip: [127, 0, 0, 1].into(),
            port,
            trust,
            credentials: BTreeMap::from([(Purpose::Write, (login, "rest".to_owned()))]),
            quarantined: false,
        })));
        let seen = Arc::new(Seen::default());
        let options = Options { allow_loopback: true, authorities, ..Options::default() };
        let lanes =
            Lanes::new(options, Arc::clone(&register) as _, vault, Some(Arc::clone(&seen) as _)).unwrap();
        Self { lanes, register, seen }
    }

    pub fn trust(&self, trust: Trust) {
        self.register.0.lock().unwrap().trust = trust;
    }

    pub fn move_to(&self, port: u16) {
        self.register.0.lock().unwrap().port = port;
    }

    /// Keys that were not the trusted one.
    pub fn mismatches(&self) -> Vec<String> {
        self.seen.0.lock().unwrap().clone()
    }

    pub async fn read(&self) -> Result<Reply, RouterError> {
        self.read_within(PATIENCE).await
    }

    pub async fn read_within(&self, within: Duration) -> Result<Reply, RouterError> {
        self.ask(Ask::print("/system/identity"), within).await
    }

    pub async fn ask(&self, ask: Ask, within: Duration) -> Result<Reply, RouterError> {
        self.lanes.read(&device_id("r1"), ask, Priority::Tool, within).await
    }

    pub async fn write(&self, action: &Action, within: Duration) -> Result<Receipt, RouterError> {
        self.lanes.write(ticket(action).await, "", action, within).await
    }
}

/// A ticket as only the log makes one: for a committed intent.
pub async fn ticket(action: &Action) -> Ticket {
    let (engine, running): (Engine, Running) = Engine::start(
        EventLog::in_memory(Signer::generate()),
        Views::default(),
        EngineOptions { rules: Rules::default(), snapshots: None },
    );
    let commands = [
        Command::AddDevice {
            device_id: device_id("r1"),
            settings: settings("r1", 1, Environment::Lab),
            trust: None,
            logins: Vec::new(),
        },
        Command::ProposePlan {
            plan: Box::new(dns_plan(1, Environment::Lab, &["r1"])),
            approval_token_sha256: String::new(),
            policy: Some("immediate_writes:lab".into()),
            origin: events::plan::Origin::default(),
        },
        Command::StartJob {
            plan_id: plan_id(1),
            job_id: job_id(1),
            step_ids: vec![step_id(1)],
            approval_token_sha256: None,
        },
        Command::SetJobStatus { job_id: job_id(1), status: JobStatus::Running, reason: String::new() },
        Command::BeginStep {
            job_id: job_id(1),
            step_id: step_id(1),
            undo: false,
            operation_sha256: action_digest(action),
        },
    ];
    let mut tickets = Vec::new();
    for command in commands {
        tickets = engine.submit(agent(), command).await.unwrap().tickets;
    }
    running.stop().await;
    tickets.pop().unwrap()
}
