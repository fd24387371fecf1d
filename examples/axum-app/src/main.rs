#![forbid(unsafe_code)]
//! Serves the application on 127.0.0.1:3000.

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("curl -X PUT -H 'x-tenant: acme' --data-binary @Cargo.lock 127.0.0.1:3000/notes/1");
    println!("go tool pprof -tags http://127.0.0.1:3000/internal/debug/pprof/heap");
    println!("curl '127.0.0.1:3000/internal/debug/maps?format=text'");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, axum_app::app()?).await?;
    Ok(())
}
