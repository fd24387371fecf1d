//! The service over real sockets, with its own load generator.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use leaky_service::app::{App, Options};
use leaky_service::cases::{CaseName, Mode};
use leaky_service::load::{self, Load};
use leaky_service::shutdown::Shutdown;
use serde_json::{Value, json};

fn options(cases: &[CaseName], mode: Mode) -> Options {
    Options {
        address: ([127, 0, 0, 1], 0).into(),
        cases: cases.to_vec(),
        mode,
        rate: 0,
        requests: None,
    }
}

/// One request, on a connection of its own.
async fn ask(app: &App, method: Method, path: &str, body: Value) -> (StatusCode, String) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{}{path}", app.address()))
        .header("content-type", "application/json")
        .body(Full::<Bytes>::from(body))
        .expect("a request");
    let response = client.request(request).await.expect("an answer");
    let status = response.status();
    let body = response.into_body().collect().await.expect("a body");
    (
        status,
        String::from_utf8_lossy(&body.to_bytes()).into_owned(),
    )
}

async fn get(app: &App, path: &str) -> (StatusCode, String) {
    ask(app, Method::GET, path, Value::Null).await
}

async fn stats(app: &App) -> Value {
    let (status, body) = get(app, "/stats").await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_str(&body).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_reaches_every_case() {
    let app = App::start(options(&CaseName::ALL, Mode::Leaking))
        .await
        .expect("a service");
    let (_trigger, shutdown) = Shutdown::channel();
    let load = Load {
        base: format!("http://{}", app.address()),
        cases: CaseName::ALL.to_vec(),
        rate: 5_000,
        limit: Some(1_000),
    };
    let report = load::run(load, shutdown).await;
    assert_eq!(
        (report.sent, report.succeeded, report.first_failure),
        (1_000, 1_000, None)
    );

    let stats = stats(&app).await;
    assert_eq!(stats["requests"], 1_000);
    for (case, entries) in [
        ("sessions", 200),
        ("metrics", 151),
        ("closures", 200),
        ("field", 200),
    ] {
        assert_eq!(stats["cases"][case]["entries"], entries, "{stats}");
        assert_eq!(stats["cases"][case]["mode"], "leaking");
    }
    assert!(
        stats["cases"]["callbacks"]["entries"].as_u64() >= Some(1),
        "{stats}"
    );
    for case in CaseName::ALL {
        assert!(
            stats["cases"][case.as_str()]["bytes"].as_u64() >= Some(500),
            "{stats}"
        );
    }
    app.stop().await;
}

#[tokio::test]
async fn failures_are_counted_and_the_first_is_named() {
    let app = App::start(options(&[CaseName::Sessions], Mode::Leaking))
        .await
        .expect("a service");
    let (_trigger, shutdown) = Shutdown::channel();
    let load = Load {
        base: format!("http://{}", app.address()),
        // The second has no route here.
        cases: vec![CaseName::Sessions, CaseName::Field],
        rate: 1_000,
        limit: Some(10),
    };
    let report = load::run(load, shutdown).await;
    assert_eq!((report.sent, report.succeeded, report.failed), (10, 5, 5));
    let first = report.first_failure.expect("a failure");
    assert!(
        first.contains("/reports/0") && first.contains("404"),
        "{first}"
    );
    app.stop().await;
}

#[tokio::test]
async fn an_unreachable_service_is_a_failure_and_no_hang() {
    let app = App::start(options(&[], Mode::Leaking))
        .await
        .expect("a service");
    let base = format!("http://{}", app.address());
    app.stop().await;
    let (_trigger, shutdown) = Shutdown::channel();
    let load = Load {
        base,
        cases: vec![CaseName::Field],
        rate: 1_000,
        limit: Some(3),
    };
    let report = load::run(load, shutdown).await;
    assert_eq!((report.sent, report.failed), (3, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_ends_load_without_a_limit_and_idle_connections() {
    let mut options = options(&CaseName::ALL, Mode::Fixed);
    options.rate = 2_000;
    let app = App::start(options).await.expect("a service");
    let idle = tokio::net::TcpStream::connect(app.address())
        .await
        .expect("a connection");
    while app.service().stats().requests < 100 {
        tokio::task::yield_now().await;
    }
    let report = app.stop().await;
    assert!(report.sent >= 100);
    assert_eq!(report.first_failure, None);
    drop(idle);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let app = App::start(options(&[], Mode::Leaking))
        .await
        .expect("a service");
    let mut again = options(&[], Mode::Leaking);
    again.address = app.address();
    let error = App::start(again).await.expect_err("taken").to_string();
    assert!(
        error.contains(&app.address().to_string()) && error.contains("--service"),
        "{error}"
    );
    app.stop().await;
}

#[tokio::test]
async fn a_session_can_be_read_and_ended() {
    let app = App::start(options(&[CaseName::Sessions], Mode::Fixed))
        .await
        .expect("a service");
    let login = json!({
        "user": "Ada \"the\" Countess",
        "roles": ["admin"],
        "cart": [{"sku": "a", "title": "b", "quantity": 3}],
    });
    let (status, id) = ask(&app, Method::POST, "/sessions", login).await;
    assert_eq!(status, StatusCode::CREATED);
    let path = format!("/sessions/{}", id.trim());
    let (status, view) = get(&app, &path).await;
    assert_eq!(status, StatusCode::OK);
    let view: Value = serde_json::from_str(&view).expect("JSON");
    assert_eq!(view["user"], "Ada \"the\" Countess");
    assert_eq!(
        (&view["items_in_cart"], &view["roles"][0]),
        (&json!(3), &json!("admin"))
    );
    assert_eq!(
        ask(&app, Method::DELETE, &path, Value::Null).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(get(&app, &path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(stats(&app).await["cases"]["sessions"]["entries"], 0);
    app.stop().await;
}

#[tokio::test]
async fn nonsense_is_refused_and_kept_nowhere() {
    let app = App::start(options(&CaseName::ALL, Mode::Leaking))
        .await
        .expect("a service");
    let beacon =
        |status: u16, path: &str| json!({"user": 1, "path": path, "status": status, "millis": 1});
    for (method, path, body) in [
        (Method::POST, "/sessions", json!({"user": 1})),
        (Method::POST, "/beacons", beacon(99, "/")),
        (Method::POST, "/beacons", beacon(200, &"x".repeat(257))),
        (Method::GET, "/reports/1?from=86400&to=0", Value::Null),
        (
            Method::GET,
            "/reports/1?from=0&to=18446744073709551615",
            Value::Null,
        ),
        (Method::GET, "/sessions/xyz", Value::Null),
    ] {
        let (status, _) = ask(&app, method, path, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
    }
    assert_eq!(get(&app, "/prices/100000").await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        get(&app, "/webhooks/billing/0").await.0,
        StatusCode::NOT_FOUND
    );
    let stats = stats(&app).await;
    for case in ["sessions", "metrics", "closures", "field"] {
        assert_eq!(stats["cases"][case]["entries"], 0, "{stats}");
    }
    app.stop().await;
}

#[tokio::test]
async fn the_other_routes_answer() {
    let app = App::start(options(&CaseName::ALL, Mode::Fixed))
        .await
        .expect("a service");
    assert_eq!(
        get(&app, "/healthz").await,
        (StatusCode::OK, "ok\n".to_owned())
    );
    assert_eq!(get(&app, "/beacons").await.1, "null");
    let beacon = json!({"user": 1, "path": "/a/1", "status": 500, "millis": 20});
    assert_eq!(
        ask(&app, Method::POST, "/beacons", beacon).await.0,
        StatusCode::NO_CONTENT
    );
    let busiest: Value = serde_json::from_str(&get(&app, "/beacons").await.1).expect("JSON");
    assert_eq!(
        (&busiest["requests"], &busiest["errors"]),
        (&json!(1), &json!(1))
    );
    let price = json!({"bid": 5, "ask": 6});
    assert_eq!(
        ask(&app, Method::PUT, "/prices/3", price.clone()).await.0,
        StatusCode::OK
    );
    let read: Value = serde_json::from_str(&get(&app, "/prices/3").await.1).expect("JSON");
    assert_eq!(read, price);
    let (status, id) = ask(&app, Method::POST, "/webhooks/billing", json!({"event": 1})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let path = format!("/webhooks/billing/{}", id.trim());
    assert_eq!(get(&app, &path).await.0, StatusCode::OK);
    app.stop().await;
}

/// The answer to `POST path`, as JSON.
async fn post(app: &App, path: &str) -> Value {
    let (status, body) = ask(app, Method::POST, path, Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    serde_json::from_str(&body).expect("JSON")
}

/// Mode and entries of a case.
fn told(stats: &Value, case: CaseName) -> (String, u64) {
    let told = &stats["cases"][case.as_str()];
    let mode = told["mode"].as_str().expect("a mode").to_owned();
    (mode, told["entries"].as_u64().expect("entries"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_is_repaired_while_the_service_runs() {
    let cases = [CaseName::Sessions, CaseName::Metrics];
    let app = App::start(options(&cases, Mode::Leaking))
        .await
        .expect("a service");
    let (_trigger, shutdown) = Shutdown::channel();
    let load = Load {
        base: format!("http://{}", app.address()),
        cases: cases.to_vec(),
        rate: 5_000,
        limit: Some(400),
    };
    assert_eq!(load::run(load, shutdown).await.succeeded, 400);

    let after = post(&app, "/repair?case=sessions").await;
    assert_eq!(told(&after, CaseName::Sessions), ("fixed".to_owned(), 0));
    assert_eq!(told(&after, CaseName::Metrics), ("leaking".to_owned(), 151));
    // The business goes on.
    let login = json!({"user": "ada", "roles": [], "cart": []});
    let (status, id) = ask(&app, Method::POST, "/sessions", login).await;
    assert_eq!(status, StatusCode::CREATED);
    // What is repaired already keeps what it holds.
    let after = post(&app, "/repair").await;
    assert_eq!(told(&after, CaseName::Sessions), ("fixed".to_owned(), 1));
    assert_eq!(told(&after, CaseName::Metrics), ("fixed".to_owned(), 0));
    let path = format!("/sessions/{}", id.trim_end());
    assert_eq!(get(&app, &path).await.0, StatusCode::OK);

    let after = post(&app, "/break?case=sessions").await;
    assert_eq!(told(&after, CaseName::Sessions), ("leaking".to_owned(), 0));
    assert_eq!(after, stats(&app).await);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_repaired_is_said() {
    let app = App::start(options(&[CaseName::Sessions], Mode::Leaking))
        .await
        .expect("a service");
    for (path, expected, said) in [
        ("/repair?case=field", StatusCode::NOT_FOUND, "--case field"),
        (
            "/repair?case=all",
            StatusCode::BAD_REQUEST,
            "unknown variant `all`",
        ),
        (
            "/repair?cases=field",
            StatusCode::BAD_REQUEST,
            "unknown field `cases`",
        ),
    ] {
        let (status, body) = ask(&app, Method::POST, path, Value::Null).await;
        assert_eq!(status, expected, "{path}: {body}");
        assert!(body.contains(said), "{path}: {body}");
    }
    assert_eq!(get(&app, "/repair").await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(told(&stats(&app).await, CaseName::Sessions).0, "leaking");
    app.stop().await;
}
