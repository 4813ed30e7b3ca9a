//! What is asked for.

use serde::Deserialize;

/// How authorisations are treated, and whether the footprint is found out or held to.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Simulation: find out the footprint and what has to be authorised by the root call.
    Record,
    /// Simulation: as above, other calls may need authorisation too.
    RecordNonroot,
    /// Simulation with authorisations that are given.
    RecordEnforced,
    /// Application: within the declared resources, with the authorisations that are given.
    Apply,
}

/// The ledger that an invocation runs in. Times to live are in ledgers, `timestamp` is in Unix seconds.
#[derive(Deserialize)]
pub struct Ledger {
    pub protocol: u32,
    pub sequence: u32,
    pub timestamp: u64,
    pub network_id: String,
    pub base_reserve: u32,
    pub min_temporary_ttl: u32,
    pub min_persistent_ttl: u32,
    pub max_ttl: u32,
}

#[derive(Deserialize)]
pub struct Request {
    pub mode: Mode,
    pub ledger: Ledger,
    /// HostFunction.
    pub function: String,
    /// AccountID of the operation's source.
    pub source: String,
    /// SorobanAuthorizationEntry, each.
    pub auth: Vec<String>,
    /// Whether recorded authorisations carry the newer credentials (ADDRESS_V2).
    pub address_v2: bool,
    /// SorobanResources, "" where they are to be found out.
    pub resources: String,
    /// 32 bytes in hexadecimal that random numbers are drawn from.
    pub seed: String,
}
