//! What can go wrong with a box on demand, and for which requests.
//!
//! A schedule is a list of injections; a request meets the first that fits and still has times left.
//! Decides nothing about how a fault looks on the wire; that is `rest`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::vitals::Vitals;

/// One way to misbehave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answers later (router time).
    Latency(Duration),
    /// Accepts the request and never answers.
    Stall,
    /// Keeps the request waiting until somebody lets it go (or ends all faults); then it is carried out as usual.
    Hold,
    /// Resets the connection instead of answering; nothing is applied.
    ResetConnection,
    /// Answers with this status and body; nothing is applied.
    Status(u16, String),
    /// Answers with a web page.
    Html,
    /// Cuts the body in the middle.
    HalfJson,
    /// Answers without a body.
    EmptyAnswer,
    /// Applies the request, then resets the connection.
    DropAnswerAfterApply,
    /// Reads the request, then resets the connection without applying it.
    DropBeforeApply,
    /// Refuses for want of a policy.
    RefuseByPolicy,
    /// Refuses writes with this text.
    RefuseWrites(String),
    /// Answers a write with 200 and an empty list, and changes nothing.
    YesWithoutChange,
    /// Carries a write out, and answers with 400 and this text.
    NoWithChange(String),
    /// Answers a write as if it were done, record and all, and leaves everything as it was.
    ForgetWrite,
    /// Answers with another menu's rows, as in the first seconds after a boot.
    WrongDataAfterBoot,
    /// Sends the body byte by byte (router time per byte).
    SlowBytes(Duration),
    /// The link dies at this request, for so much router time or until it is mended. The box lives on, and its
    /// timers run; what was under way arrives when the link is back.
    LinkDies {
        /// Before the request gets through, or after it was carried out and before its answer gets back.
        before: bool,
        /// When the link is back.
        heals_after: Option<Duration>,
    },
    /// Carries the request out, then loses its power for so much real time; nobody is told.
    Reboot(Duration),
    /// Carries a write out, and from then on its gauges show this.
    Degrade(Vitals),
    /// Changes a menu behind the client's back right before a read sees it.
    ChangeBehindBackBeforeRead {
        /// The menu, e.g. `/ip/dns`.
        menu: String,
        /// What is written.
        props: Vec<(String, String)>,
    },
}

/// A fault and the requests it is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    /// What happens.
    pub fault: Fault,
    /// Only requests with this method.
    pub method: Option<String>,
    /// Only requests whose path begins so, e.g. `/rest/ip/dns`.
    pub path_prefix: Option<String>,
    /// How many requests that fit pass unharmed first.
    pub after: u32,
    /// How often; without it, always.
    pub times: Option<u32>,
}

impl From<Fault> for Injection {
    fn from(fault: Fault) -> Self {
        Injection { fault, method: None, path_prefix: None, after: 0, times: None }
    }
}

impl Injection {
    /// Limits the fault to a method and a path.
    pub fn on(mut self, method: &str, path_prefix: &str) -> Self {
        self.method = Some(method.to_owned());
        self.path_prefix = Some(path_prefix.to_owned());
        self
    }

    /// Lets so many requests that fit pass first.
    pub fn after(mut self, requests: u32) -> Self {
        self.after = requests;
        self
    }

    /// Limits how often it happens.
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        self.times != Some(0)
            && self.method.as_deref().is_none_or(|wanted| wanted == method)
            && self.path_prefix.as_deref().is_none_or(|wanted| path.starts_with(wanted))
            && self.fault.concerns(method, path)
    }
}

impl Fault {
    /// Limits the fault to a method and a path.
    pub fn on(self, method: &str, path_prefix: &str) -> Injection {
        Injection::from(self).on(method, path_prefix)
    }

    /// Lets so many requests that fit pass first.
    pub fn after(self, requests: u32) -> Injection {
        Injection::from(self).after(requests)
    }

    /// Limits how often it happens.
    pub fn times(self, times: u32) -> Injection {
        Injection::from(self).times(times)
    }

    fn concerns(&self, method: &str, path: &str) -> bool {
        let write = writes(method, path);
        match self {
            Fault::RefuseWrites(_)
            | Fault::YesWithoutChange
            | Fault::ForgetWrite
            | Fault::Degrade(_)
            | Fault::NoWithChange(_) => write,
            Fault::ChangeBehindBackBeforeRead { menu, .. } => {
                !write && path.strip_prefix("/rest").is_some_and(|rest| rest.starts_with(menu.as_str()))
            }
            _ => true,
        }
    }
}

/// Whether a request can change anything.
pub fn writes(method: &str, path: &str) -> bool {
    const LOOKERS: [&str; 6] = ["/print", "/get", "/monitor-traffic", "/monitor", "/ping", "/traceroute"];
    match method {
        "PUT" | "PATCH" | "DELETE" => true,
        "POST" => !LOOKERS.iter().any(|end| path.ends_with(end)),
        _ => false,
    }
}

/// The faults of one box.
#[derive(Debug, Default)]
pub struct Schedule {
    injections: Mutex<Vec<Injection>>,
    /// How often those who wait were let go.
    released: watch::Sender<u64>,
}

impl Schedule {
    /// Adds a fault behind those already there.
    pub fn inject(&self, injection: Injection) {
        self.injections.lock().unwrap_or_else(PoisonError::into_inner).push(injection);
    }

    /// Ends all faults, and lets go what is held.
    pub fn clear(&self) {
        self.injections.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.released.send_modify(|times| *times += 1);
    }

    /// Lets go what is held, and holds nothing more; other faults stay.
    pub fn release(&self) {
        let mut injections = self.injections.lock().unwrap_or_else(PoisonError::into_inner);
        injections.retain(|injection| injection.fault != Fault::Hold);
        drop(injections);
        self.released.send_modify(|times| *times += 1);
    }

    /// Changes at the next release. Taken before [`Self::meet`], so that none is missed.
    pub fn gate(&self) -> watch::Receiver<u64> {
        self.released.subscribe()
    }

    /// The fault this request meets, if any.
    pub fn meet(&self, method: &str, path: &str) -> Option<Fault> {
        let mut injections = self.injections.lock().unwrap_or_else(PoisonError::into_inner);
        let mut passing = |injection: &mut Injection| {
            let fits = injection.fits(method, path);
            let passes = fits && injection.after > 0;
            injection.after -= u32::from(passes);
            fits && !passes
        };
        let at = injections.iter_mut().position(&mut passing)?;
        let injection = &mut injections[at];
        let fault = injection.fault.clone();
        if let Some(times) = injection.times.as_mut() {
            *times -= 1;
            if *times == 0 {
                injections.remove(at);
            }
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_write_and_no_other() {
        let schedule = Schedule::default();
        let hot = Fault::Degrade(Vitals { cpu_load: Some(97), ..Vitals::default() });
        schedule.inject(hot.clone().after(2).times(1));
        let met = |method: &str, path: &str| schedule.meet(method, path);
        assert_eq!(met("POST", "/rest/ip/dns/set"), None);
        assert_eq!(met("GET", "/rest/ip/dns"), None, "a read does not count");
        assert_eq!(met("PUT", "/rest/ip/address"), None);
        assert_eq!(met("DELETE", "/rest/ip/address/*1"), Some(hot));
        assert_eq!(met("DELETE", "/rest/ip/address/*1"), None);
    }

    #[test]
    fn a_fault_meets_only_its_own_requests() {
        let schedule = Schedule::default();
        schedule.inject(Fault::Stall.on("POST", "/rest/ip/dns").times(1));
        schedule.inject(Fault::RefuseWrites("no".into()).into());
        assert_eq!(schedule.meet("GET", "/rest/ip/dns"), None);
        assert_eq!(schedule.meet("POST", "/rest/ip/dns/set"), Some(Fault::Stall));
        assert_eq!(schedule.meet("POST", "/rest/ip/dns/set"), Some(Fault::RefuseWrites("no".into())));
        assert_eq!(schedule.meet("POST", "/rest/ip/route/print"), None);
    }
}
