//! What each tenant's notes take is told apart, exactly where every allocation is
//! sampled.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

const NOTE: usize = 100_000;

async fn answer(app: &Router, request: Request<Body>) -> (StatusCode, Vec<u8>) {
    let answer = app.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, body.to_vec())
}

async fn put(app: &Router, tenant: &str, key: usize) -> StatusCode {
    let request = Request::put(format!("/notes/{key}")).header("x-tenant", tenant);
    answer(app, request.body(Body::from(vec![7; NOTE])).unwrap())
        .await
        .0
}

async fn get(app: &Router, target: &str) -> String {
    let request = Request::get(target).body(Body::empty()).unwrap();
    let (status, body) = answer(app, request).await;
    let body = String::from_utf8(body).unwrap();
    assert_eq!(status, StatusCode::OK, "{target}: {body}");
    body
}

/// Bytes in use of the notes under this label.
async fn held(app: &Router, label: &str) -> i64 {
    let target = format!("/internal/debug/heap?format=json&label={label}&focus=notes::put");
    let document: Value = serde_json::from_str(&get(app, &target).await).unwrap();
    document["totals"]["inuse_space"]["value"].as_i64().unwrap()
}

#[tokio::test]
async fn each_tenant_is_charged_for_its_notes() {
    heaplens::set_sample_interval(1);
    let app = axum_app::app().unwrap();
    for key in 0..5 {
        assert_eq!(put(&app, "acme", key).await, StatusCode::CREATED);
    }
    for tenant in ["umbrella", "somebody", "somebody else"] {
        put(&app, tenant, 0).await;
    }
    assert_eq!(put(&app, "acme", 0).await, StatusCode::NO_CONTENT);

    let note = i64::try_from(NOTE).unwrap();
    for (tenant, notes) in [("acme", 5), ("umbrella", 1), ("other", 1)] {
        let bytes = held(&app, &format!("tenant:{tenant}")).await;
        // Besides the notes: their keys, and the table of the map.
        let rest = bytes - notes * note;
        assert!((0..note / 10).contains(&rest), "{tenant}: {bytes}");
    }
    assert!(held(&app, "map:notes").await >= 7 * note);

    let metrics = get(&app, "/internal/metrics").await;
    assert!(
        metrics.contains("notes_requests_total{method=\"put\"} 9"),
        "{metrics}"
    );
    assert!(
        metrics.contains("map_entries{map=\"notes\"} 7"),
        "{metrics}"
    );
}
