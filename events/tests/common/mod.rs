//! What the tests of the log share: events, a disk that forgets, and a small source of chance.
#![allow(dead_code, reason = "every test uses its part")]

use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard},
};

use events::{
    checkpoint::Signer,
    device::{DeviceRemoved, DeviceStatus},
    event::{Event, NewEvent},
    ids::{CommandId, JobId, Moment, StepId, StoreId},
    job::StepStarted,
    log::{BackendFactory, OpenOptions, SideTable, SideWrite},
    principal::{Actor, Door, Role},
    sample::{HealthBatch, HealthSample},
    store::StoreCreated,
};

/// Chance that can be repeated (SplitMix64).
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }
}

/// How many cases, unless the environment says otherwise.
pub fn cases(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

pub fn signer() -> Signer {
    Signer::from_bytes([7; 32])
}

pub fn at(second: i64) -> Moment {
    Moment::from_micros(1_790_000_000_000_000).plus_secs(second)
}

/// Flushes and checkpoints come often, so that short workloads meet them.
pub fn options() -> OpenOptions {
    OpenOptions {
        flush_every_commits: 4,
        checkpoint_every_events: 10,
        cache_bytes: 1024 * 1024,
        ..OpenOptions::default()
    }
}

pub fn new(second: i64, command: u128, event: impl Into<Event>) -> NewEvent {
    NewEvent {
        at: at(second),
        actor: Actor { name: "token:t1".into(), label: "Ada".into(), role: Role::OpsRw, door: Door::McpHttp },
        command_id: CommandId::from_u128(command),
        event: event.into(),
    }
}

pub fn created() -> NewEvent {
    let created = StoreCreated {
        store_id: StoreId::from_u128(9),
        product_version: "0.1.0".into(),
        verifier_key: signer().verifier().to_string(),
    };
    new(0, 0, created)
}

pub fn removed(second: i64, device: &str, reason: &str) -> NewEvent {
    new(second, 1, DeviceRemoved { device_id: device.parse().unwrap(), reason: reason.into() })
}

pub fn sampled(second: i64, devices: u64) -> NewEvent {
    let samples = (0..devices)
        .map(|i| HealthSample {
            device_id: format!("r{i}").parse().unwrap(),
            at: at(second),
            status: DeviceStatus::Healthy,
            cpu_permille: Some(u16::try_from(i).unwrap()),
            memory_permille: None,
            disk_permille: Some(3),
            temperature_decicelsius: Some(-5),
            uptime_s: Some(second.unsigned_abs()),
        })
        .collect();
    new(second, 2, HealthBatch { samples })
}

pub fn started(second: i64, step: u128) -> NewEvent {
    let step = StepStarted {
        job_id: JobId::from_u128(5),
        step_id: StepId::from_u128(step),
        device_id: "r1".parse().unwrap(),
        attempt: 1,
        undo: false,
        operation_sha256: "ab".repeat(32),
    };
    new(second, 3, step)
}

/// The n-th batch of a workload, and what changes beside the log.
pub fn batch(n: u64, chance: &mut Chance) -> (Vec<NewEvent>, Vec<SideWrite>) {
    let second = i64::try_from(n).unwrap() * 7;
    let mut batch = Vec::new();
    for _ in 0..=chance.below(5) {
        batch.push(match chance.below(6) {
            0 => sampled(second, chance.below(40)),
            1 => started(second, n.into()),
            2 => removed(second, "big", &"x".repeat(chance.index(9000))),
            i => removed(second, &format!("r{i}"), "moved"),
        });
    }
    let (table, key) = (SideTable::Credentials, vec![u8::try_from(n % 3).unwrap()]);
    let side = match chance.below(4) {
        0 => vec![SideWrite::Put { table, key, value: n.to_le_bytes().to_vec() }],
        1 => vec![SideWrite::Erase { table, key }],
        _ => vec![],
    };
    (batch, side)
}

/// What goes wrong, and when: counted in writes, length changes and syncs.
#[derive(Debug, Clone, Copy)]
pub enum Trouble {
    /// From this operation on nothing works; of what was not synced, some sectors are lost.
    PowerCut { at: u64, seed: u64 },
    /// This operation fails, and so do the next ones until `Disk::heal`. Nothing is lost.
    Fault { at: u64, kind: io::ErrorKind, only_growth: bool, short: bool },
}

const SECTOR: usize = 512;

#[derive(Debug)]
enum Unsynced {
    Sector { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Default)]
struct Platter {
    /// What a reader sees.
    now: Vec<u8>,
    /// What survives.
    synced: Vec<u8>,
    unsynced: Vec<Unsynced>,
    operations: u64,
    trouble: Option<Trouble>,
    dead: bool,
    faulty: bool,
}

/// A disk in memory that remembers what was synced.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<Platter>>);

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    pub fn with(trouble: Trouble) -> Self {
        let disk = Self::default();
        disk.lock().trouble = Some(trouble);
        disk
    }
    fn lock(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap()
    }
    pub fn factory(&self) -> BackendFactory {
        let disk = self.clone();
        Arc::new(move || Ok(Box::new(disk.clone())))
    }
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }
    /// Did the trouble come?
    pub fn is_troubled(&self) -> bool {
        let platter = self.lock();
        platter.dead || platter.faulty
    }
    /// The trouble is over. After a power cut, what survived is what there is.
    pub fn heal(&self) {
        let mut platter = self.lock();
        platter.trouble = None;
        platter.faulty = false;
        if platter.dead {
            platter.dead = false;
            platter.now = platter.synced.clone();
            platter.unsynced.clear();
        }
    }
}

impl Platter {
    /// Counts an operation that changes something, and says whether it may go through.
    fn step(&mut self, grows: bool) -> io::Result<()> {
        let dead = || Err(io::Error::other("the power is gone"));
        if self.dead {
            return dead();
        }
        self.operations += 1;
        match self.trouble {
            Some(Trouble::PowerCut { at, seed }) if self.operations >= at => {
                self.cut(seed);
                dead()
            }
            Some(Trouble::Fault { at, kind, only_growth, .. }) if self.operations >= at => {
                if only_growth && !grows {
                    return Ok(());
                }
                self.faulty = true;
                Err(kind.into())
            }
            _ => Ok(()),
        }
    }

    /// Some of what was not synced survives: all, none, or a random part, sector by sector.
    fn cut(&mut self, seed: u64) {
        self.dead = true;
        let mut chance = Chance(seed);
        let odds = [0, 100, 50, 90, 10][chance.index(5)];
        let length = self
            .unsynced
            .iter()
            .filter_map(|change| match change {
                Unsynced::Length(length) => Some(*length),
                Unsynced::Sector { .. } => None,
            })
            .filter(|_| chance.below(100) < odds)
            .last();
        if let Some(length) = length {
            self.synced.resize(length, 0);
        }
        for change in std::mem::take(&mut self.unsynced) {
            if let Unsynced::Sector { offset, bytes } = change
                && chance.below(100) < odds
                && offset + bytes.len() <= self.synced.len()
            {
                self.synced[offset..offset + bytes.len()].copy_from_slice(&bytes);
            }
        }
    }

    fn put(&mut self, offset: usize, data: &[u8]) {
        self.now[offset..offset + data.len()].copy_from_slice(data);
        let mut done = 0;
        while done < data.len() {
            let length = (SECTOR - (offset + done) % SECTOR).min(data.len() - done);
            let bytes = data[done..done + length].to_vec();
            self.unsynced.push(Unsynced::Sector { offset: offset + done, bytes });
            done += length;
        }
    }
}

impl redb::StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        let platter = self.lock();
        if platter.dead { Err(io::Error::other("the power is gone")) } else { Ok(platter.now.len() as u64) }
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.lock();
        if platter.dead {
            return Err(io::Error::other("the power is gone"));
        }
        let start = usize::try_from(offset).unwrap();
        let bytes = platter.now.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platter = self.lock();
        let len = usize::try_from(len).unwrap();
        let grows = len > platter.now.len();
        platter.step(grows)?;
        platter.now.resize(len, 0);
        platter.unsynced.push(Unsynced::Length(len));
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.lock();
        platter.step(false)?;
        platter.synced = platter.now.clone();
        platter.unsynced.clear();
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.lock();
        let start = usize::try_from(offset).unwrap();
        if let Err(error) = platter.step(false) {
            if let (false, Some(Trouble::Fault { short: true, .. })) = (platter.dead, platter.trouble) {
                platter.put(start, &data[..data.len() / 2]);
            }
            return Err(error);
        }
        platter.put(start, data);
        Ok(())
    }
}
