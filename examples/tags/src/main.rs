#![forbid(unsafe_code)]
//! Four jobs of two tenants run on the same threads; labels tell what each of them
//! holds. There is no server: the program looks at its own samples.
//!
//! ```text
//! cargo run --release -p tags
//! ```

use std::collections::BTreeMap;

use heaplens::{LabelExt, Labels, Snapshot, Tally, label, snapshot};

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

const MIB: usize = 1 << 20;

#[tokio::main]
async fn main() -> Result<(), tokio::task::JoinError> {
    let jobs = [
        ("acme", "import", 400),
        ("acme", "report", 100),
        ("umbrella", "import", 200),
        ("umbrella", "report", 50),
    ];
    let tasks = jobs.map(|(tenant, job, mib)| {
        // In force whenever the task is polled, on whatever thread.
        tokio::spawn(run(mib).labelled(label("tenant", tenant).and("job", job)))
    });
    let mut kept = Vec::new();
    for task in tasks {
        kept.push(task.await?);
    }
    let held: usize = kept.iter().flatten().map(Vec::len).sum();
    println!("{} MiB are held. By job, as sampled:", held / MIB);
    for (labels, inuse) in by_labels(&snapshot()) {
        let (bytes, error) = (inuse.bytes / MIB as f64, inuse.bytes_error() / MIB as f64);
        println!("{bytes:7.1} ± {error:4.1} MiB  {labels}");
    }
    Ok(())
}

/// Half of it here and half of it on a thread, which takes the labels over.
async fn run(mib: usize) -> Vec<Vec<u8>> {
    let mut kept = blocks(mib / 2);
    let labels = Labels::current();
    let rest = move || {
        let _scope = labels.enter();
        blocks(mib - mib / 2)
    };
    if let Ok(rest) = tokio::task::spawn_blocking(rest).await {
        kept.extend(rest);
    }
    kept
}

fn blocks(mib: usize) -> Vec<Vec<u8>> {
    (0..mib * 16).map(|_| vec![0; MIB / 16]).collect()
}

/// What is in use under each set of labels.
fn by_labels(snapshot: &Snapshot) -> BTreeMap<String, Tally> {
    let mut sums: BTreeMap<String, Tally> = BTreeMap::new();
    for site in &snapshot.sites {
        let labels = snapshot.labels.get(site.labels).into_iter().flatten();
        let text: Vec<String> = labels
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let text = if text.is_empty() {
            "(no labels)".to_owned()
        } else {
            text.join(" ")
        };
        sums.entry(text).or_default().add(&site.inuse);
    }
    sums
}
