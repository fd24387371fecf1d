//! An HTTP service under load.

use super::{Job, Work};
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// Connections of the client, each with one request under way.
const CONNECTIONS: u64 = 16;
/// Orders that the service keeps.
const KEPT: usize = 10_000;

const BODY: &str = r#"{"customer":"customer 4711","express":true,"items":[{"sku":"A-1000","quantity":3,"price":12.5},{"sku":"B-2000","quantity":1,"price":99.0},{"sku":"C-3000","quantity":12,"price":0.75}],"note":"leave it with the neighbour"}"#;

/// A unit is a request. `threads` are those of the service; the client, which allocates nothing
/// once it runs, has one of its own in the same process.
pub(super) fn prepare(job: Job) -> Work {
    let service = Builder::new_multi_thread()
        .worker_threads(job.threads)
        .enable_io()
        .build()
        .expect("threads for the service");
    let client = Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime for the client");
    let address = serve(&service);
    Box::new(move |count| {
        // It runs for as long as this closure is there.
        let _service = &service;
        let start = Instant::now();
        let mut latencies = client.block_on(load(address, count));
        let wall = start.elapsed().as_secs_f64();
        latencies.sort_unstable();
        let at = |share: usize| {
            let index = (latencies.len() * share / 100).min(latencies.len().saturating_sub(1));
            latencies.get(index).map_or(0.0, Duration::as_secs_f64)
        };
        #[expect(clippy::cast_precision_loss, reason = "small enough to be exact")]
        let rate = latencies.len() as f64 / wall;
        vec![
            ("requests_per_second", rate),
            ("p50", at(50)),
            ("p99", at(99)),
        ]
    })
}

#[derive(Default)]
struct Orders {
    by_number: HashMap<u64, Value>,
    oldest: VecDeque<u64>,
    taken: u64,
}

/// Starts the service and returns where it listens.
fn serve(runtime: &Runtime) -> SocketAddr {
    let router = Router::new()
        .route("/orders", post(order))
        .with_state(Arc::new(Mutex::new(Orders::default())));
    let listener = runtime
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("a port on loopback");
    let address = listener.local_addr().expect("the port's number");
    runtime.spawn(async move { axum::serve(listener, router).await });
    address
}

/// Takes an order: adds it up, keeps it, and answers with what it costs.
async fn order(State(orders): State<Arc<Mutex<Orders>>>, Json(order): Json<Value>) -> Json<Value> {
    let lines: Vec<Value> = order["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            let quantity = item["quantity"].as_f64().unwrap_or_default();
            let price = item["price"].as_f64().unwrap_or_default();
            json!({ "sku": item["sku"], "amount": quantity * price })
        })
        .collect();
    let total: f64 = lines
        .iter()
        .filter_map(|line| line["amount"].as_f64())
        .sum();
    let mut orders = orders.lock().unwrap_or_else(PoisonError::into_inner);
    orders.taken += 1;
    let number = orders.taken;
    let answer =
        json!({ "number": number, "customer": order["customer"], "lines": lines, "total": total });
    orders.by_number.insert(number, order);
    orders.oldest.push_back(number);
    if orders.oldest.len() > KEPT
        && let Some(old) = orders.oldest.pop_front()
    {
        orders.by_number.remove(&old);
    }
    Json(answer)
}

/// Sends the requests and returns how long each took.
///
/// # Panics
/// When the service does not answer, for then there is nothing to measure.
async fn load(address: SocketAddr, count: u64) -> Vec<Duration> {
    let connections: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let share = count / CONNECTIONS + u64::from(number < count % CONNECTIONS);
            tokio::spawn(connection(address, share))
        })
        .collect();
    let mut latencies = Vec::new();
    for connection in connections {
        latencies.extend(connection.await.expect("a connection's task"));
    }
    latencies
}

async fn connection(address: SocketAddr, count: u64) -> Vec<Duration> {
    let request = format!(
        "POST /orders HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let mut latencies = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let mut buffer = [0; 4096];
    for _ in 0..count {
        let start = Instant::now();
        stream
            .write_all(request.as_bytes())
            .await
            .expect("to send a request");
        let mut filled = 0;
        while !is_whole(&buffer[..filled]) {
            let read = stream
                .read(&mut buffer[filled..])
                .await
                .expect("to read an answer");
            assert!(read > 0, "the service closed the connection");
            filled += read;
        }
        latencies.push(start.elapsed());
    }
    latencies
}

/// Whether an answer has come to its end.
///
/// # Panics
/// When it is another than 200, or of unknown length.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|part| part == b"\r\n\r\n") else {
        return false;
    };
    let head = std::str::from_utf8(&answer[..end]).expect("a head in ASCII");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .expect("content-length");
    answer.len() >= end + 4 + length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_at_its_last_byte() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        for end in 0..answer.len() {
            assert!(!is_whole(&answer[..end]), "{end} bytes");
        }
        assert!(is_whole(answer));
    }

    #[test]
    fn orders_are_added_up_and_the_oldest_forgotten() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let orders = Arc::new(Mutex::new(Orders::default()));
        let body: Value = serde_json::from_str(BODY).unwrap();
        for number in 1..=KEPT as u64 + 3 {
            let Json(answer) = runtime.block_on(order(State(orders.clone()), Json(body.clone())));
            assert_eq!(
                (&answer["number"], &answer["total"]),
                (&json!(number), &json!(145.5))
            );
        }
        let orders = orders.lock().unwrap();
        assert_eq!(
            (orders.by_number.len(), orders.oldest.front()),
            (KEPT, Some(&4))
        );
    }
}
