#![forbid(unsafe_code)]
//! A service with five map leaks, and a profiler to find them with.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use leaky_service::app::App;
use leaky_service::cli::Cli;
use leaky_service::shutdown;

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

/// Mean bytes between samples where growth is judged within minutes.
const DEMO_INTERVAL: u64 = 16 * 1024;

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("leaky-service: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Box<dyn Error>> {
    let mut agent = heaplens::Agent::builder().listen(&cli.listen);
    if let Some(directory) = &cli.history_dir {
        agent = agent.history_dir(directory);
    }
    if cli.demo_windows {
        agent = agent.demo_windows(true);
        // Within minutes there would be few samples of each call site.
        if std::env::var_os("HEAPLENS_SAMPLE_INTERVAL").is_none() {
            heaplens::set_sample_interval(DEMO_INTERVAL);
        }
    }
    let agent = agent.start()?;
    // With the true port, if port 0 was asked for.
    let agent_url = match agent.local_addr() {
        Some(address) => format!("http://{address}"),
        None => format!("http://{}", cli.listen),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    // The main thread only waits; requests and timers run on the workers, so
    // that `main` is not at the root of what they allocate.
    let report = runtime.block_on(async {
        let signals = shutdown::on_signals()?;
        let app = App::start(cli.options()).await?;
        say(&cli.banner(app.address(), &agent_url));
        cli.until(signals).await;
        Ok::<_, Box<dyn Error>>(app.stop().await)
    })?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    drop(agent);
    say(&format!("leaky-service: stopped after {report}\n"));
    Ok(())
}

/// Flushed, so that a program that reads the output sees it at once. That
/// nobody reads it is no reason to stop.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
