//! Whose turn it is at a router: one at a time, jobs before tools before polls.
//!
//! RouterOS serves one user's requests strictly one after another, so asking twice at once only fills its queue.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::routeros::{error::RouterError, port::Priority};

/// Callers that may wait for one lane; beyond it they are told that the router is busy.
const WAITING_MAX: usize = 64;

/// One lane's queue.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    busy: bool,
    waiting: [VecDeque<oneshot::Sender<Turn>>; 3],
}

/// The right to send. Passed on when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    queue: Option<Arc<Queue>>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn, at most so long.
    pub(super) async fn turn(
        self: &Arc<Self>,
        priority: Priority,
        within: Duration,
    ) -> Result<Turn, RouterError> {
        let waiting = {
            let mut state = self.lock();
            if !state.busy {
                state.busy = true;
                return Ok(Turn { queue: Some(Arc::clone(self)) });
            }
            state.waiting.iter_mut().for_each(|line| line.retain(|one| !one.is_closed()));
            if state.waiting.iter().map(VecDeque::len).sum::<usize>() >= WAITING_MAX {
                return Err(RouterError::Busy);
            }
            let (give, waiting) = oneshot::channel();
            state.waiting[priority as usize].push_back(give);
            waiting
        };
        match tokio::time::timeout(within, waiting).await {
            Ok(Ok(turn)) => Ok(turn),
            // A turn given at the very last moment is passed on by its drop.
            Ok(Err(_)) | Err(_) => Err(RouterError::Busy),
        }
    }

    /// True while somebody has the turn or waits for it.
    pub(super) fn in_use(&self) -> bool {
        self.lock().busy
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(queue) = self.queue.take() else { return };
        loop {
            let next = {
                let mut state = queue.lock();
                match state.waiting.iter_mut().find_map(VecDeque::pop_front) {
                    Some(next) => next,
                    None => {
                        state.busy = false;
                        return;
                    }
                }
            };
            match next.send(Self { queue: Some(Arc::clone(&queue)) }) {
                Ok(()) => return,
                // They left: take the turn back without dropping it, and offer it to the next.
                Err(mut turn) => turn.queue = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn jobs_come_before_tools_before_polls() {
        let queue = Arc::new(Queue::default());
        let first = queue.turn(Priority::Poll, LONG).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for priority in [Priority::Poll, Priority::Tool, Priority::Job] {
            let (waiter, order) = (Arc::clone(&queue), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let turn = waiter.turn(priority, LONG).await.unwrap();
                order.lock().unwrap().push(priority);
                drop(turn);
            }));
            tokio::task::yield_now().await;
        }
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [Priority::Job, Priority::Tool, Priority::Poll]);
        assert!(!queue.in_use());
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_is_passed_over_and_a_full_lane_says_busy() {
        let queue = Arc::new(Queue::default());
        let first = queue.turn(Priority::Tool, LONG).await.unwrap();
        assert!(matches!(queue.turn(Priority::Tool, Duration::from_millis(1)).await, Err(RouterError::Busy)));
        let mut waiting: Vec<_> = (0..WAITING_MAX)
            .map(|_| {
                let queue = Arc::clone(&queue);
                tokio::spawn(async move { queue.turn(Priority::Tool, LONG).await })
            })
            .collect();
        while queue.lock().waiting.iter().map(VecDeque::len).sum::<usize>() < WAITING_MAX {
            tokio::task::yield_now().await;
        }
        assert!(matches!(queue.turn(Priority::Job, LONG).await, Err(RouterError::Busy)));
        let last = waiting.pop().unwrap();
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        for one in waiting {
            assert!(one.await.is_err());
        }
        drop(first);
        assert!(last.await.unwrap().is_ok(), "the turn reaches the only one who stayed");
        assert!(!queue.in_use());
    }
}
