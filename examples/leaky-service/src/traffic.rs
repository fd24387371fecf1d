//! What the load generator asks for: the requests of each case, by number.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use hyper::http;
use hyper::{Method, Request};
use serde_json::{Value, json};

use crate::cases::CaseName;

/// A browser's.
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                     Chrome/142.0.0.0 Safari/537.36";

/// The `n`-th request of a case. The same numbers give the same requests.
///
/// # Errors
/// If `base` is not the start of a URL, as in `http://127.0.0.1:8080`.
pub fn request(base: &str, case: CaseName, n: u64) -> http::Result<Request<Full<Bytes>>> {
    match case {
        CaseName::Sessions => send(Method::POST, format!("{base}/sessions"), &login(n)),
        CaseName::Metrics => send(Method::POST, format!("{base}/beacons"), &beacon(n)),
        CaseName::Closures => {
            let partner = ["billing", "shipping", "search"][n as usize % 3];
            send(
                Method::POST,
                format!("{base}/webhooks/{partner}"),
                &webhook(n),
            )
        }
        CaseName::Field => {
            // The last sixty days, as of a clock that goes on by a second.
            let to = 1_790_000_000 + n;
            let from = to - 60 * 86_400;
            let account = n % 500;
            get(format!("{base}/reports/{account}?from={from}&to={to}"))
        }
        CaseName::Callbacks => {
            let url = format!("{base}/prices/{}", n % 100);
            // A correction calls every callback there is, and is rare.
            if n % 200 == 199 {
                send(Method::PUT, url, &json!({"bid": n, "ask": n + 2}))
            } else {
                get(url)
            }
        }
    }
}

fn get(url: String) -> http::Result<Request<Full<Bytes>>> {
    Request::get(url)
        .header(USER_AGENT, AGENT)
        .body(Full::default())
}

fn send(method: Method, url: String, body: &Value) -> http::Result<Request<Full<Bytes>>> {
    Request::builder()
        .method(method)
        .uri(url)
        .header(USER_AGENT, AGENT)
        .header(CONTENT_TYPE, "application/json")
        .header("x-signature", "sha256=9f86d081884c7d659a2feaa0c55ad015")
        .body(Full::from(body.to_string()))
}

fn login(n: u64) -> Value {
    let item = |i: u64| {
        json!({
            "sku": format!("SKU-{:08}", n * 31 + i),
            "title": format!("Item {i} of cart {n}: a description as shops have them, with size, colour and material"),
            "quantity": 1 + i % 3,
        })
    };
    let items: Vec<Value> = (0..8 + n % 9).map(item).collect();
    json!({
        "user": format!("user-{n}@example.com"),
        "roles": ["customer", "newsletter", "beta"],
        "cart": items,
    })
}

/// Three of four from a user who has not been seen before.
fn beacon(n: u64) -> Value {
    json!({
        "user": n - n / 4,
        "path": format!("/{}/{}/details", ["orders", "items", "invoices"][n as usize % 3], n),
        "status": if n % 50 == 49 { 503 } else { 200 },
        "millis": 0.5 + (n % 97) as f64,
    })
}

fn webhook(n: u64) -> Value {
    let line =
        |i: u64| json!({"line": i, "sku": format!("SKU-{:08}", n + i), "cents": 100 * i + n % 100});
    let lines: Vec<Value> = (0..32 + n % 21).map(line).collect();
    json!({"event": "order.paid", "order": n, "lines": lines})
}
