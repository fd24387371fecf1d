//! What the environment says, each time in a process of its own.

use std::process::Command;

use heaplens::Agent;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Run by the test below: starts an agent and tells what came of it.
#[test]
#[ignore = "a part of `the_environment_is_read_and_checked`"]
fn child() {
    match Agent::builder().start() {
        Ok(agent) => println!(
            "started on {:?}, token {}, arguments {}",
            agent.local_addr().unwrap().ip(),
            agent.config().has_token(),
            agent.config().exposes_cmdline()
        ),
        Err(error) => println!("refused: {error}"),
    }
}

fn outcome(variables: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_environment_is_read_and_checked() {
    let listen = ("HEAPLENS_LISTEN", "127.0.0.1:0");
    let cases: [(&[_], &str); 9] = [
        (
            &[listen],
            "started on 127.0.0.1, token false, arguments false",
        ),
        (
            &[
                listen,
                ("HEAPLENS_EXPOSE_CMDLINE", "1"),
                ("HEAPLENS_TOKEN", TOKEN),
            ],
            "started on 127.0.0.1, token true, arguments true",
        ),
        (
            &[("HEAPLENS_LISTEN", "0.0.0.0:0")],
            "refused: refusing to listen on 0.0.0.0:0",
        ),
        (
            &[("HEAPLENS_LISTEN", "0.0.0.0:0"), ("HEAPLENS_TOKEN", TOKEN)],
            "started on 0.0.0.0, token true",
        ),
        (
            &[("HEAPLENS_LISTEN", "nowhere")],
            "refused: cannot listen on \"nowhere\"",
        ),
        (
            &[listen, ("HEAPLENS_TOKEN", "")],
            "refused: the token is not usable",
        ),
        (
            &[listen, ("HEAPLENS_EXPOSE_CMDLINE", "maybe")],
            "refused: HEAPLENS_EXPOSE_CMDLINE=\"maybe\" is not usable: expected 1, true, 0 or false",
        ),
        (
            &[listen, ("HEAPLENS_SAMPLE_INTERVAL", "half")],
            "refused: HEAPLENS_SAMPLE_INTERVAL=\"half\" is not usable",
        ),
        (
            &[listen, ("HEAPLENS_MEMORY_BUDGET", "-1")],
            "refused: HEAPLENS_MEMORY_BUDGET=\"-1\" is not usable",
        ),
    ];
    for (variables, expected) in cases {
        let told = outcome(variables);
        assert!(told.contains(expected), "{variables:?}: {told}");
    }
}
