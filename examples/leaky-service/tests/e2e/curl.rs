//! HTTP as a shell script speaks it.

use std::process::Command;

use crate::process;

/// An answer with its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// GET, with more arguments to curl where wanted. No answer at all is a failure.
pub(crate) fn get(url: &str, arguments: &[&str]) -> Answer {
    try_get(url, arguments).unwrap_or_else(|reason| panic!("{url}: {reason}"))
}

/// GET of something that may not be there yet.
pub(crate) fn try_get(url: &str, arguments: &[&str]) -> Result<Answer, String> {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--max-time",
            "60",
        ])
        .args(["--write-out", "%{stderr}%{http_code} %{content_type}"])
        .args(arguments)
        .arg(url)
        .output()
        .unwrap_or_else(|error| panic!("curl: {error}"));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(told);
    }
    let (status, content_type) = told.split_once(' ').ok_or_else(|| told.clone())?;
    Ok(Answer {
        status: status.parse().map_err(|_| told.clone())?,
        content_type: content_type.to_owned(),
        body: output.stdout,
    })
}

/// GET that must be answered with 200.
pub(crate) fn get_ok(url: &str, arguments: &[&str]) -> Answer {
    let answer = get(url, arguments);
    assert_eq!(
        answer.status,
        200,
        "{url}: {}",
        String::from_utf8_lossy(&answer.body)
    );
    answer
}

/// Stores an answer in a file, as `curl -o` does.
pub(crate) fn download(url: &str, file: &std::path::Path) {
    process::run(
        Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--fail",
                "--noproxy",
                "*",
                "--max-time",
                "60",
            ])
            .arg("--output")
            .arg(file)
            .arg(url),
    );
}
