//! The engines, all behind one word: keep a batch durably. Each keeps the same frames.

use std::{fs::File, os::unix::fs::FileExt as _, path::Path};

use events::{
    checkpoint::Signer,
    event::NewEvent,
    log::{EventLog, OpenOptions},
};
use tokio_postgres::{Client, NoTls, Statement};

use crate::{Outcome, facts};

/// One engine with the writer's side of its connection.
pub(crate) trait Engine: Send {
    /// Returns when the batch is durable.
    fn keep(&mut self, batch: Vec<NewEvent>) -> Outcome<()>;
}

/// The product's log: frames, index keys, Merkle tree and signed checkpoints included.
pub(crate) struct Log(pub(crate) EventLog);

impl Log {
    pub(crate) fn new(path: &Path) -> Outcome<Self> {
        let signer = Signer::generate();
        let first = facts::created(signer.verifier().to_string());
        Ok(Self(EventLog::create(path, signer, OpenOptions::default(), first)?))
    }
}

impl Engine for Log {
    fn keep(&mut self, batch: Vec<NewEvent>) -> Outcome<()> {
        self.0.append(batch, &[])?;
        Ok(())
    }
}

/// What the disk can do at most: one write and one `fdatasync` into a file that was filled before.
pub(crate) struct Bare {
    file: File,
    at: u64,
    seq: u64,
    buffer: Vec<u8>,
}

impl Bare {
    const SIZE: u64 = 256 * 1024 * 1024;

    pub(crate) fn new(path: &Path) -> Outcome<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        let zeros = vec![0u8; 1024 * 1024];
        for mebibyte in 0..Self::SIZE / zeros.len() as u64 {
            file.write_all_at(&zeros, mebibyte * zeros.len() as u64)?;
        }
        file.sync_all()?;
        Ok(Self { file, at: 0, seq: 0, buffer: Vec::new() })
    }
}

impl Engine for Bare {
    fn keep(&mut self, batch: Vec<NewEvent>) -> Outcome<()> {
        self.buffer.clear();
        for event in &batch {
            self.seq += 1;
            facts::encode(&mut self.buffer, self.seq, event)?;
        }
        let len = self.buffer.len() as u64;
        if self.at + len > Self::SIZE {
            self.at = 0;
        }
        self.file.write_all_at(&self.buffer, self.at)?;
        self.file.sync_data()?;
        self.at += len;
        Ok(())
    }
}

/// SQLite in this process, write-ahead log, every commit synced.
pub(crate) struct Sqlite {
    connection: rusqlite::Connection,
    seq: u64,
}

impl Sqlite {
    pub(crate) fn new(path: &Path) -> Outcome<Self> {
        let connection = rusqlite::Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch("CREATE TABLE events (seq INTEGER PRIMARY KEY, body BLOB NOT NULL)")?;
        Ok(Self { connection, seq: 0 })
    }

    /// Reads every row back.
    pub(crate) fn each(&self, mut each: impl FnMut(&[u8]) -> Outcome<()>) -> Outcome<()> {
        let mut all = self.connection.prepare("SELECT body FROM events ORDER BY seq")?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            each(row.get_ref(0)?.as_blob()?)?;
        }
        Ok(())
    }
}

impl Engine for Sqlite {
    fn keep(&mut self, batch: Vec<NewEvent>) -> Outcome<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO events (seq, body) VALUES (?1, ?2)")?;
            let mut body = Vec::new();
            for event in &batch {
                self.seq += 1;
                body.clear();
                facts::encode(&mut body, self.seq, event)?;
                insert.execute(rusqlite::params![i64::try_from(self.seq)?, body])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

/// A connection to PostgreSQL over its socket, as application code opens one.
pub(crate) async fn connect(socket: &Path) -> Outcome<Client> {
    let mut config = tokio_postgres::Config::new();
    config.host_path(socket).user("bench").dbname("postgres");
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            crate::talk(&format!("PostgreSQL's connection ended: {error}"));
        }
    });
    Ok(client)
}

/// Makes an empty table of events.
pub(crate) async fn table(client: &Client, name: &str) -> Outcome<()> {
    let sql = format!(
        "DROP TABLE IF EXISTS {name}; \
         CREATE TABLE {name} (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)"
    );
    Ok(client.batch_execute(&sql).await?)
}

/// PostgreSQL behind one writer: a batch is one prepared `INSERT … SELECT unnest($1)`.
pub(crate) struct Postgres {
    runtime: tokio::runtime::Runtime,
    client: Client,
    insert: Statement,
    seq: u64,
}

impl Postgres {
    pub(crate) fn new(socket: &Path, name: &str) -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (client, insert) = runtime.block_on(async {
            let client = connect(socket).await?;
            table(&client, name).await?;
            let sql = format!("INSERT INTO {name} (body) SELECT unnest($1::bytea[])");
            let insert = client.prepare(&sql).await?;
            Outcome::Ok((client, insert))
        })?;
        Ok(Self { runtime, client, insert, seq: 0 })
    }

    /// Reads every row of a table back.
    pub(crate) fn each(&self, name: &str, mut each: impl FnMut(&[u8]) -> Outcome<()>) -> Outcome<()> {
        const PAGE: i64 = 4096;
        let sql = format!("SELECT seq, body FROM {name} WHERE seq > $1 ORDER BY seq LIMIT {PAGE}");
        self.runtime.block_on(async {
            let select = self.client.prepare(&sql).await?;
            let mut after = 0i64;
            loop {
                let rows = self.client.query(&select, &[&after]).await?;
                let Some(last) = rows.last() else { return Ok(()) };
                after = last.get(0);
                for row in &rows {
                    each(row.get(1))?;
                }
            }
        })
    }
}

impl Engine for Postgres {
    fn keep(&mut self, batch: Vec<NewEvent>) -> Outcome<()> {
        let mut bodies = Vec::with_capacity(batch.len());
        for event in &batch {
            self.seq += 1;
            let mut body = Vec::new();
            facts::encode(&mut body, self.seq, event)?;
            bodies.push(body);
        }
        self.runtime.block_on(self.client.execute(&self.insert, &[&bodies]))?;
        Ok(())
    }
}
