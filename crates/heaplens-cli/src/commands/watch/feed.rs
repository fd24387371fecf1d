//! Looks at the service every so often, on a thread of its own.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use heaplens_profile::Profile;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Message;
use super::look::Look;
use crate::address::Address;
use crate::client::{Client, Refusal};
use crate::fault::Fault;
use crate::{leaks_page, maps_page};

/// What the feed is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Look now.
    Look,
    /// Places are looked at too, or not any more.
    Places(bool),
    /// No looks until further notice, or again.
    Pause(bool),
    Every(Duration),
}

#[derive(Debug)]
pub(super) struct Feed {
    client: Client,
    address: Address,
    every: Duration,
    wants_places: bool,
    is_paused: bool,
    /// Whether the service has verdicts, as far as is known.
    has_leaks: bool,
}

impl Feed {
    pub(super) fn new(client: Client, address: Address, every: Duration) -> Self {
        Feed {
            client,
            address,
            every,
            wants_places: false,
            is_paused: false,
            has_leaks: true,
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The first look, whose failure is a reason not to begin.
    pub(super) fn first(&mut self) -> Result<Look, Fault> {
        let (maps, body) = maps_page::list(&self.client, &self.address, "")?;
        let document = serde_json::from_slice(&body).unwrap_or_default();
        let route = self.address.route(leaks_page::PATH);
        let leaks = self.client.get(&self.address, &route, Duration::ZERO);
        let leaks = self.read_leaks(leaks.map(|answer| answer.body.to_vec()));
        Ok(Look {
            at: SystemTime::now(),
            maps: Ok((maps, document)),
            leaks,
            heap: None,
        })
    }

    /// Begins to look. The thread ends with the process, or when nobody listens.
    pub(super) fn start(mut self, sender: mpsc::Sender<Message>) -> UnboundedSender<Order> {
        let (orders, mut told) = unbounded_channel();
        thread::spawn(move || {
            self.run(&sender, &mut told);
            let _ = sender.send(Message::End);
        });
        orders
    }

    fn run(&mut self, sender: &mpsc::Sender<Message>, told: &mut UnboundedReceiver<Order>) {
        loop {
            match self.wait(told) {
                Wake::Order(order) => {
                    if !self.obey(order) {
                        continue;
                    }
                }
                Wake::Due => {}
                Wake::End => return,
            }
            let Some(look) = self.look() else {
                return;
            };
            if sender.send(Message::Look(Box::new(look))).is_err() {
                return;
            }
        }
    }

    /// Whether there is to be a look at once.
    fn obey(&mut self, order: Order) -> bool {
        match order {
            Order::Look => true,
            Order::Places(wanted) => {
                self.wants_places = wanted;
                wanted
            }
            Order::Pause(paused) => {
                self.is_paused = paused;
                !paused
            }
            Order::Every(every) => {
                self.every = every;
                false
            }
        }
    }

    fn wait(&self, told: &mut UnboundedReceiver<Order>) -> Wake {
        let pause = if self.is_paused {
            Duration::MAX
        } else {
            self.every
        };
        self.client.runtime().block_on(async {
            let (Ok(mut terminate), Ok(mut hangup)) = (
                signal(SignalKind::terminate()),
                signal(SignalKind::hangup()),
            ) else {
                return Wake::End;
            };
            tokio::select! {
                order = told.recv() => order.map_or(Wake::End, Wake::Order),
                () = tokio::time::sleep(pause) => Wake::Due,
                _ = terminate.recv() => Wake::End,
                _ = hangup.recv() => Wake::End,
            }
        })
    }

    /// Asks for all that is wanted; `None` if a signal came meanwhile.
    fn look(&mut self) -> Option<Look> {
        let (wants_places, has_leaks) = (self.wants_places, self.has_leaks);
        let asked = self.client.runtime().block_on(async {
            let (Ok(mut terminate), Ok(mut hangup)) = (
                signal(SignalKind::terminate()),
                signal(SignalKind::hangup()),
            ) else {
                return None;
            };
            let all = async {
                let maps = self.body(maps_page::PATH).await;
                let leaks = if has_leaks {
                    Some(self.body(leaks_page::PATH).await)
                } else {
                    None
                };
                let heap = if wants_places {
                    self.heap().await
                } else {
                    None
                };
                (maps, leaks, heap)
            };
            tokio::select! {
                all = all => Some(all),
                _ = terminate.recv() => None,
                _ = hangup.recv() => None,
            }
        });
        let (maps, leaks, heap) = asked?;
        let maps = maps.map_err(|refusal| Fault::from(refusal).to_string());
        Some(Look {
            at: SystemTime::now(),
            maps: maps.and_then(|body| self.read(maps_page::PATH, &body)),
            leaks: leaks.and_then(|answer| self.read_leaks(answer)),
            heap,
        })
    }

    async fn body(&self, route: &str) -> Result<Vec<u8>, Refusal> {
        let path = self.address.route(route);
        let answer = self
            .client
            .fetch(&self.address, &path, Duration::ZERO)
            .await?;
        Ok(answer.body.to_vec())
    }

    async fn heap(&self) -> Option<Profile> {
        let body = self.body("/debug/heap").await.ok()?;
        crate::format::decode(&body).ok()
    }

    fn read<T: DeserializeOwned>(&self, route: &str, body: &[u8]) -> Result<(T, Value), String> {
        let page = maps_page::parse(&self.address, route, body);
        let page = page.map_err(|fault| fault.to_string())?;
        Ok((page, serde_json::from_slice(body).unwrap_or_default()))
    }

    fn read_leaks(
        &mut self,
        answer: Result<Vec<u8>, Refusal>,
    ) -> Option<(leaks_page::Page, Value)> {
        match answer {
            Ok(body) => self.read(leaks_page::PATH, &body).ok(),
            Err(refusal) => {
                // One that is not there will not come; one that fails may.
                self.has_leaks = !matches!(refusal, Refusal::NotFound(_));
                None
            }
        }
    }
}

/// Why the feed goes on.
enum Wake {
    Order(Order),
    Due,
    End,
}
