//! The routes within an axum application, and the collector within a registry.

mod common;

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use axum::Router;
use axum::routing::get as route;
use common::{get, post, request};
use heaplens::{Collector, Routes};

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

/// Serves an application until the returned sender is dropped.
fn serve(app: Router) -> (SocketAddr, tokio::sync::oneshot::Sender<()>) {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (bound, address) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            bound.send(listener.local_addr().unwrap()).unwrap();
            let until = async {
                let _ = stopped.await;
            };
            axum::serve(listener, app)
                .with_graceful_shutdown(until)
                .await
                .unwrap();
        });
    });
    (address.recv().unwrap(), stop)
}

#[test]
fn merged_into_an_application() {
    let mut map = heaplens::TrackedHashMap::named("mounted");
    map.insert(1, 1);
    let app = Router::new()
        .route("/", route(|| async { "the application" }))
        .fallback(|| async { "its fallback" })
        .merge(heaplens::router());
    let (address, _stop) = serve(app);
    assert_eq!(get(address, "/").text(), "the application");
    assert_eq!(get(address, "/nosuch").text(), "its fallback");
    assert_eq!(get(address, "/debug/nosuch").text(), "its fallback");
    for (target, status) in [
        ("/debug/", 200),
        ("/debug/?map=mounted", 200),
        ("/debug/?map=nosuch", 404),
        ("/debug/?x=1", 400),
        ("/debug/ui/0/page.js", 404),
        ("/debug/pprof", 307),
        ("/debug/pprof/", 200),
        ("/debug/pprof/heap", 200),
        ("/debug/pprof/allocs?debug=1", 200),
        ("/debug/pprof/heap?seconds=1", 200),
        ("/debug/pprof/heap?seconds=0", 400),
        ("/debug/pprof/cmdline", 200),
        ("/debug/pprof/nosuch", 404),
        ("/debug/pprof/heap/", 404),
        ("/debug/pprof//heap", 307),
        ("/debug/pprof/delta_heap", 200),
        ("/debug/pprof/trace", 501),
        ("/debug/heap", 200),
        ("/debug/heap/lifetimes", 200),
        // No agent, so nobody watches.
        ("/debug/heap/peak", 404),
        ("/debug/history", 404),
        ("/debug/leaks", 404),
        ("/debug/leaks?x=1", 400),
        ("/debug/maps", 200),
        ("/debug/maps/", 200),
        ("/debug/maps?x=1", 400),
        ("/debug/maps/mounted", 200),
        ("/debug/maps/no/such%2Fmap", 404),
        ("/debug/memstats", 200),
        ("/metrics", 200),
    ] {
        let answer = get(address, target);
        assert_eq!(answer.status, status, "{target}: {answer:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    for path in ["/debug/pprof/symbol", "/debug/symbolz"] {
        assert_eq!(post(address, path, b"0x1").text(), "num_symbols: 1\n");
    }
    let posted = post(address, "/debug/pprof/heap", b"");
    assert_eq!(posted.status, 405);
    assert_eq!(posted.header("allow"), Some("GET, HEAD"));
}

#[test]
fn nested_under_a_prefix() {
    let app = Router::new().nest("/internal", heaplens::router());
    let (address, _stop) = serve(app);
    let bare = get(address, "/internal/debug/pprof");
    assert_eq!(bare.header("location"), Some("/internal/debug/pprof/"));
    let unclean = get(address, "/internal/debug/pprof//heap");
    assert_eq!(
        unclean.header("location"),
        Some("/internal/debug/pprof/heap")
    );
    let mut map = heaplens::TrackedHashMap::named("a/b");
    map.insert(1, 1);
    let nested = get(address, "/internal/debug/maps/a/b");
    assert!(
        nested.text().contains("\"/internal/debug/maps/a%2Fb\""),
        "{nested:?}"
    );
    assert_eq!(get(address, "/internal/debug/maps/a%2Fb").status, 200);
    assert_eq!(get(address, "/internal/debug/pprof/heap").status, 200);
    assert_eq!(get(address, "/debug/pprof/heap").status, 404);
    let page = get(address, "/internal/debug/");
    let links = page.text().split("href=\"").skip(1);
    let script = page.text().split("src=\"").nth(1).unwrap();
    for link in links.chain([script]) {
        let link = link.split('"').next().unwrap();
        assert!(!link.starts_with('/'), "{link} leads out of the prefix");
    }
    let script = format!("/internal/debug/{}", script.split('"').next().unwrap());
    assert_eq!(get(address, &script).status, 200, "{script}");
    assert!(!page.text().contains("healthz"), "it is not mounted");
}

#[test]
fn beside_a_metrics_route_of_the_applications_own() {
    let app = Router::new()
        .route("/metrics", route(|| async { "the application's" }))
        .merge(Routes::new().metrics(false).expose_cmdline(true).router());
    let (address, _stop) = serve(app);
    assert_eq!(get(address, "/metrics").text(), "the application's");
    let words: Vec<String> = std::env::args().collect();
    let told = request(address, "GET", "/debug/pprof/cmdline", "");
    assert_eq!(told.text(), words.join("\0"));
}

#[test]
fn the_collector_in_a_registry_that_exists() {
    let registry = prometheus::Registry::new();
    let own = prometheus::IntCounter::new("app_requests_total", "Requests.").unwrap();
    registry.register(Box::new(own)).unwrap();
    registry.register(Box::new(Collector::new())).unwrap();
    let mut map = heaplens::TrackedHashMap::named("collected");
    map.insert(1, 1);
    let text = prometheus::TextEncoder::new()
        .encode_to_string(&registry.gather())
        .unwrap();
    for name in [
        "app_requests_total",
        "heaplens_samples_total",
        "heaplens_sampling_active",
    ] {
        assert!(text.contains(&format!("\n{name} ")), "{name} in {text}");
    }
    let entries = "\nmap_entries{map=\"collected\"} 1\n";
    assert!(text.contains(entries), "{text}");
    drop(map);
}
