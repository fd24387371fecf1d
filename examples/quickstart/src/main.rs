#![forbid(unsafe_code)]
//! The lines that a service adds, and a map that grows for a minute.

use std::thread::sleep;
use std::time::Duration;

use heaplens::TrackedHashMap;

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

fn main() -> Result<(), heaplens::Error> {
    let _agent = heaplens::Agent::builder()
        .listen("127.0.0.1:6060")
        .start()?;

    println!("A map grows by 1 MiB a second for a minute. Who holds the memory?");
    println!("  go tool pprof -top -cum -show=^quickstart:: http://127.0.0.1:6060/debug/heap");
    println!("  curl 'http://127.0.0.1:6060/debug/maps?format=text'");
    let mut sessions = TrackedHashMap::named("sessions");
    for second in 1..=60 {
        fill(&mut sessions);
        println!("{second} s, {} sessions", sessions.len());
        sleep(Duration::from_secs(1));
    }
    Ok(())
}

fn fill(sessions: &mut TrackedHashMap<usize, Vec<u8>>) {
    for _ in 0..1024 {
        sessions.insert(sessions.len(), vec![0; 1024]);
    }
}
