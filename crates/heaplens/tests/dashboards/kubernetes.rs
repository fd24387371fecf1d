//! The objects for Kubernetes fit each other, and the agent.

use serde_json::Value;

use crate::shipped;
use crate::shipped::kubernetes::{container, deployment, object, port, probe};
use crate::shipped::yaml::{self, list};

/// Whether each label that is asked for is there.
fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object().unwrap();
    !wanted.is_empty() && wanted.iter().all(|(name, value)| labels[name] == *value)
}

fn variable<'a>(container: &'a Value, name: &str) -> &'a Value {
    let mut variables = list(&container["env"]).iter();
    variables
        .find(|variable| variable["name"] == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn selectors_and_ports_meet() {
    let Some(deployment) = deployment() else {
        return;
    };
    let template = &deployment["spec"]["template"];
    let pod = &template["metadata"]["labels"];
    assert!(selects(&deployment["spec"]["selector"]["matchLabels"], pod));
    let service = object("example.yaml", "Service").unwrap();
    assert!(selects(&service["spec"]["selector"], pod));
    let container = container(&deployment);
    for exposed in list(&service["spec"]["ports"]) {
        let name = exposed["targetPort"].as_str().unwrap();
        let number = port(container, name).unwrap_or_else(|| panic!("no port {name}"));
        assert_eq!(exposed["port"], number, "{name}");
    }
    let monitor = object("servicemonitor.yaml", "ServiceMonitor").unwrap();
    let service_labels = &service["metadata"]["labels"];
    assert!(selects(
        &monitor["spec"]["selector"]["matchLabels"],
        service_labels
    ));
    for endpoint in list(&monitor["spec"]["endpoints"]) {
        let mut ports = list(&service["spec"]["ports"]).iter();
        assert!(ports.any(|exposed| exposed["name"] == endpoint["port"]));
    }
    let monitor = object("podmonitor.yaml", "PodMonitor").unwrap();
    assert!(selects(&monitor["spec"]["selector"]["matchLabels"], pod));
    for endpoint in list(&monitor["spec"]["podMetricsEndpoints"]) {
        assert!(port(container, endpoint["port"].as_str().unwrap()).is_some());
    }
    let policy = object("networkpolicy.yaml", "NetworkPolicy").unwrap();
    assert!(selects(&policy["spec"]["podSelector"]["matchLabels"], pod));
    for rule in list(&policy["spec"]["ingress"]) {
        for allowed in list(&rule["ports"]) {
            let name = allowed["port"].as_str().unwrap();
            assert!(port(container, name).is_some(), "{name}");
            // Whoever may reach the agent is said.
            assert_eq!(name == "heaplens", rule["from"].is_array(), "{rule}");
        }
    }
}

#[test]
fn the_agent_is_told_to_listen_where_it_is_looked_for() {
    let Some(deployment) = deployment() else {
        return;
    };
    let container = container(&deployment);
    let listen = list(&container["args"]).iter().find_map(|argument| {
        let address = argument.as_str()?.strip_prefix("--listen=")?;
        Some(address.to_owned())
    });
    let listen = listen.expect("--listen");
    let (host, number) = listen.rsplit_once(':').unwrap();
    assert_eq!(port(container, "heaplens").unwrap().to_string(), number);
    // Only a token makes the agent take such an address.
    let elsewhere = format!("{host}:0");
    assert!(
        heaplens::Agent::builder()
            .listen(&elsewhere)
            .start()
            .is_err()
    );
    let token = "0123456789abcdef0123456789abcdef";
    let agent = heaplens::Agent::builder().listen(&elsewhere).token(token);
    drop(agent.start().unwrap());
    // It is given by a variable that the agent reads.
    let known = include_str!("../../src/docs/configuration.md");
    for variable in list(&container["env"]) {
        let name = variable["name"].as_str().unwrap();
        assert!(known.contains(&format!("`{name}")), "{name}");
    }
    assert!(container["resources"]["limits"]["memory"].is_string());
}

#[test]
fn all_take_the_token_from_one_secret() {
    let Some(deployment) = deployment() else {
        return;
    };
    let container = container(&deployment);
    let source = &variable(container, "HEAPLENS_TOKEN")["valueFrom"]["secretKeyRef"];
    let (name, key) = (
        source["name"].as_str().unwrap(),
        source["key"].as_str().unwrap(),
    );
    for (file, kind, endpoints) in [
        ("servicemonitor.yaml", "ServiceMonitor", "endpoints"),
        ("podmonitor.yaml", "PodMonitor", "podMetricsEndpoints"),
    ] {
        let monitor = object(file, kind).unwrap();
        for endpoint in list(&monitor["spec"][endpoints]) {
            let told = &endpoint["authorization"]["credentials"];
            assert_eq!(
                (&told["name"], &told["key"]),
                (&source["name"], &source["key"])
            );
        }
    }
    let create = format!("kubectl create secret generic {name} --from-literal={key}=");
    for file in ["dashboards/kubernetes/example.yaml", "dashboards/README.md"] {
        assert!(shipped::text(file).unwrap().contains(&create), "{file}");
    }
    // Mounted as a directory, the secret is a file of the key's name.
    for file in [
        "dashboards/kubernetes/prometheus-annotations.yml",
        "dashboards/alloy/kubernetes.alloy",
    ] {
        let text = shipped::text(file).unwrap();
        assert!(
            text.contains(name) && text.contains(&format!("/etc/heaplens/{key}")),
            "{file}"
        );
    }
    assert!(probe(container).join(" ").contains("$HEAPLENS_TOKEN"));
}

/// The rules in the operator's form are those of `dashboards/prometheus/rules`, group by group.
#[test]
fn the_operators_rules_are_those_of_prometheus() {
    const FILE: &str = "dashboards/kubernetes/prometheusrule.yaml";
    let Some(directory) = shipped::path("dashboards/prometheus/rules") else {
        return;
    };
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yml"))
        .collect();
    files.sort();
    let texts: Vec<String> = files
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    if std::env::var_os("HEAPLENS_UPDATE_DOCS").is_some() {
        std::fs::write(shipped::path(FILE).unwrap(), operator_form(&texts)).unwrap();
    }
    let object = yaml::file(FILE).unwrap();
    assert_eq!(object["kind"], "PrometheusRule");
    let expected: Vec<Value> = texts
        .iter()
        .flat_map(|text| yaml::documents(text).unwrap())
        .flat_map(|file| list(&file["groups"]).to_vec())
        .collect();
    assert!(!expected.is_empty());
    assert!(
        list(&object["spec"]["groups"]) == expected,
        "{FILE} is not what dashboards/prometheus/rules says; run\n\
         HEAPLENS_UPDATE_DOCS=1 cargo test -p heaplens --test dashboards operators_rules"
    );
}

/// The groups of all files under one object, as they are written there.
fn operator_form(texts: &[String]) -> String {
    let mut object = String::from(
        "# For the Prometheus operator: the rules of ../prometheus/rules, made from these files by\n\
         #\n\
         #   HEAPLENS_UPDATE_DOCS=1 cargo test -p heaplens --test dashboards operators_rules\n\
         apiVersion: monitoring.coreos.com/v1\n\
         kind: PrometheusRule\n\
         metadata:\n  name: heaplens\n  labels:\n    app.kubernetes.io/name: heaplens\n\
         spec:\n  groups:\n",
    );
    for text in texts {
        let (_, groups) = text.split_once("\ngroups:\n").expect("groups");
        for line in groups.lines() {
            object.push_str(if line.is_empty() { "" } else { "  " });
            object.push_str(line);
            object.push('\n');
        }
    }
    object
}
