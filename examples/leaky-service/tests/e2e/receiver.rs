//! A webhook receiver: keeps what Alertmanager posts to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A connection that says nothing for so long is given up.
const SILENT: Duration = Duration::from_secs(10);

/// One alert of a notification.
#[derive(Clone, Debug)]
pub(crate) struct Alert {
    pub(crate) arrived: Instant,
    /// Of the notification as a whole: `resolved` if all of its alerts are.
    pub(crate) group_status: String,
    /// `firing` or `resolved`.
    pub(crate) status: String,
    labels: Value,
    annotations: Value,
}

impl Alert {
    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels[name].as_str().unwrap_or_default()
    }

    pub(crate) fn annotation(&self, name: &str) -> &str {
        self.annotations[name].as_str().unwrap_or_default()
    }

    /// Whether these are its labels.
    pub(crate) fn has(&self, labels: &Value) -> bool {
        self.labels == *labels
    }

    pub(crate) fn fires(&self) -> bool {
        self.status == "firing"
    }

    /// Whether it names a map, and which.
    pub(crate) fn is_of(&self, instance: &str, map: &str) -> bool {
        self.label("instance") == instance && self.label("map") == map
    }
}

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    address: SocketAddr,
    alerts: Arc<Mutex<Vec<Alert>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let alerts = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (kept, stopped) = (Arc::clone(&alerts), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            for connection in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                match connection.map_err(|error| error.to_string()).and_then(take) {
                    Ok(notification) => {
                        kept.lock().unwrap().extend(alerts_of(&notification));
                    }
                    Err(reason) => eprintln!("receiver: {reason}"),
                }
            }
        });
        Self {
            address,
            alerts,
            stop,
            thread: Some(thread),
        }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// All alerts that have come, in the order in which they came.
    pub(crate) fn alerts(&self) -> Vec<Alert> {
        self.alerts.lock().unwrap().clone()
    }

    /// The first alert that has come and is as asked for.
    pub(crate) fn first(&self, wanted: impl Fn(&Alert) -> bool) -> Option<Alert> {
        self.alerts().into_iter().find(wanted)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes it up.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
        if thread::panicking() {
            eprintln!("---- received:");
            for alert in self.alerts() {
                eprintln!(
                    "{} {} {}",
                    alert.status, alert.labels, alert.annotations["description"]
                );
            }
            eprintln!("----");
        }
    }
}

/// Reads one request and answers it; the connection ends with it.
fn take(mut connection: TcpStream) -> Result<Value, String> {
    let said = |error: std::io::Error| error.to_string();
    connection.set_read_timeout(Some(SILENT)).map_err(said)?;
    let mut reader = BufReader::new(connection.try_clone().map_err(said)?);
    let mut length = None;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).map_err(said)?;
        if line.trim_end().is_empty() {
            break;
        }
        let header = line.to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let length = length.ok_or("a request without a length")?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).map_err(said)?;
    connection
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .map_err(said)?;
    serde_json::from_slice(&body).map_err(|error| error.to_string())
}

fn alerts_of(notification: &Value) -> Vec<Alert> {
    let arrived = Instant::now();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let alerts = notification["alerts"].as_array();
    let alerts = alerts.map(Vec::as_slice).unwrap_or_default();
    let alert = |alert: &Value| Alert {
        arrived,
        group_status: text(&notification["status"]),
        status: text(&alert["status"]),
        labels: alert["labels"].clone(),
        annotations: alert["annotations"].clone(),
    };
    alerts.iter().map(alert).collect()
}
