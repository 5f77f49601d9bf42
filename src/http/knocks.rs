//! Refused sign-ins, put on record without letting anybody fill the log: the first from a place at once, the rest of a
//! minute summed up.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use events::{
    access::SignInRefused,
    ids::Moment,
    principal::{Actor, Door},
};

use crate::{domain::Command, tools::call::Corridor};

/// Refusals of one place within this time become one event.
const WINDOW: Duration = Duration::from_secs(60);
/// Places remembered; more are summed up as `others`.
const PLACES_MAX: usize = 256;

/// Who knocked lately.
#[derive(Debug, Default)]
pub(super) struct Knocks(Mutex<BTreeMap<String, Summed>>);

#[derive(Debug)]
struct Summed {
    count: u64,
    since: Moment,
    door: Door,
}

impl Knocks {
    /// A sign-in was refused.
    pub(super) fn refused(self: &Arc<Self>, corridor: &Corridor, door: Door, from: String) {
        let at = corridor.now();
        let place = {
            let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let known = places.contains_key(&from) || places.len() < PLACES_MAX;
            let place = if known { from } else { "others".to_owned() };
            if let Some(summed) = places.get_mut(&place) {
                if summed.count == 0 {
                    summed.since = at;
                }
                summed.count += 1;
                return;
            }
            places.insert(place.clone(), Summed { count: 0, since: at, door });
            place
        };
        record(corridor, SignInRefused { door, from: place.clone(), count: 1, since: at });
        let (knocks, corridor) = (Arc::clone(self), corridor.clone());
        tokio::spawn(async move {
            tokio::time::sleep(WINDOW).await;
            let summed = knocks.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&place);
            if let Some(Summed { count: count @ 1.., since, .. }) = summed {
                record(&corridor, SignInRefused { door, from: place, count, since });
            }
        });
    }

    /// Puts on record at once what waits for the end of its minute: the doors are closed.
    pub(super) fn flush(&self, corridor: &Corridor) {
        let places = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (from, Summed { count, since, door }) in places {
            if count > 0 {
                record(corridor, SignInRefused { door, from, count, since });
            }
        }
    }
}

fn record(corridor: &Corridor, refused: SignInRefused) {
    corridor.shared().engine.record(Actor::system(), Command::RecordSignInRefused(refused));
}
