//! What `/debug/maps` answers, as far as it is shown. Members that are added later
//! are passed over.

use serde::Deserialize;

use crate::address::Address;
use crate::client::Client;
use crate::fault::Fault;

/// The list of all groups.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Page {
    #[serde(default)]
    pub(crate) groups_count: u64,
    #[serde(default)]
    pub(crate) process: Process,
    #[serde(default)]
    pub(crate) maps: Vec<Group>,
}

/// What the process takes and may take.
#[expect(clippy::struct_field_names, reason = "the names of the JSON")]
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Process {
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) memory_limit_bytes: Option<u64>,
    pub(crate) headroom_bytes: Option<u64>,
}

/// A group of maps; what is not known is `None`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) instances_count: u64,
    pub(crate) entries_count: Option<u64>,
    pub(crate) capacity_entries_count: Option<u64>,
    pub(crate) table_bytes: Option<u64>,
    pub(crate) heap_bytes: Option<f64>,
    pub(crate) heap_stderr_bytes: Option<f64>,
    pub(crate) capacity_waste_bytes: Option<f64>,
    pub(crate) growth_entries_per_second: Option<f64>,
    pub(crate) inserts_count: Option<u64>,
    pub(crate) removes_count: Option<u64>,
    pub(crate) max_entries_count: Option<u64>,
    pub(crate) expected_ttl_seconds: Option<f64>,
    pub(crate) oldest_entry_age_seconds: Option<f64>,
    pub(crate) seconds_to_limit: Option<f64>,
    pub(crate) limit: Option<String>,
    // Of one group only.
    pub(crate) site: Option<String>,
    pub(crate) heap_bytes_per_entry: Option<f64>,
    pub(crate) growth_bytes_per_second: Option<f64>,
    pub(crate) advice: Vec<String>,
    pub(crate) process: Option<Process>,
}

/// Where the list is.
pub(crate) const PATH: &str = "/debug/maps";

/// The list of a service.
pub(crate) fn list(
    client: &Client,
    address: &Address,
    query: &str,
) -> Result<(Page, Vec<u8>), Fault> {
    fetch(client, address, &format!("{PATH}{query}"))
}

/// One answer of a service, read and as it came.
pub(crate) fn fetch<T: serde::de::DeserializeOwned>(
    client: &Client,
    address: &Address,
    route: &str,
) -> Result<(T, Vec<u8>), Fault> {
    let answer = client.get(address, &address.route(route), std::time::Duration::ZERO)?;
    Ok((parse(address, route, &answer.body)?, answer.body.to_vec()))
}

/// Reads an answer.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(
    address: &Address,
    route: &str,
    body: &[u8],
) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        let route = route.split('?').next().unwrap_or_default();
        Fault::unreadable(format!(
            "{address}{route} did not answer as heaplens does: {error}"
        ))
    })
}
